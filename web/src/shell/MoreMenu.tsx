import { UnstyledButton } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import { IconMenu2 } from "@tabler/icons-react";
import { lazy, Suspense, useState } from "react";
import { useTranslation } from "react-i18next";
import { told } from "@/i18n";
import { useSession } from "@/session/session";
import { elsewhere } from "./places";
import classes from "./Shell.module.css";

const MoreDrawer = lazy(told(() => import("./MoreDrawer")));

/** On a phone: the way to what its bar has no room for. */
export function MoreMenu({ path, onSearch }: { path: string; onSearch: () => void }) {
  const { t } = useTranslation();
  const session = useSession();
  const [opened, { open, close }] = useDisclosure();
  const [used, setUsed] = useState(false);
  if (opened && !used) setUsed(true);
  const here = elsewhere(session?.installation).some(({ to }) => path.startsWith(to));
  return (
    <>
      <UnstyledButton
        className={classes.place}
        onClick={open}
        aria-haspopup="dialog"
        aria-expanded={opened}
        data-active={here || undefined}
      >
        <IconMenu2 size={22} stroke={1.7} aria-hidden />
        <span className={classes.label}>{t("nav.more")}</span>
      </UnstyledButton>
      <Suspense>{used && <MoreDrawer path={path} opened={opened} close={close} onSearch={onSearch} />}</Suspense>
    </>
  );
}
