import { Avatar, UnstyledButton, type UnstyledButtonProps } from "@mantine/core";
import { type ComponentPropsWithRef, lazy, Suspense, useState } from "react";
import { useTranslation } from "react-i18next";
import { told } from "@/i18n";
import { useSession } from "@/session/session";
import classes from "./Shell.module.css";

const UserMenu = lazy(told(() => import("./UserMenu")));

const initials = (name: string) =>
  name
    .split(/\s+/)
    .slice(0, 2)
    .map((word) => [...word][0]?.toLocaleUpperCase() ?? "")
    .join("");

type Props = { name: string } & UnstyledButtonProps & ComponentPropsWithRef<"button">;

export function UserButton({ name, ...props }: Props) {
  const { t } = useTranslation();
  return (
    <UnstyledButton aria-label={t("nav.menu")} aria-haspopup="menu" {...props}>
      <Avatar color="clarin" radius="xl">
        <span className={classes.initials} data-initials={initials(name)} />
      </Avatar>
    </UnstyledButton>
  );
}

/** The user's menu, which is loaded when it is first wanted. */
export function UserCorner({ onHelp }: { onHelp: () => void }) {
  const session = useSession();
  const [used, setUsed] = useState(false);
  if (!session) return null;
  const closed = <UserButton name={session.user.name} onClick={() => setUsed(true)} />;
  return used ? (
    <Suspense fallback={closed}>
      <UserMenu onHelp={onHelp} />
    </Suspense>
  ) : (
    closed
  );
}
