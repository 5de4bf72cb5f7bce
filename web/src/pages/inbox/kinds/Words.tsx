import { UnstyledButton } from "@mantine/core";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import classes from "../Bubble.module.css";

const LINK = /(https?:\/\/[^\s<>"']+)/g;
const LONG = 3_000;

const escaped = (text: string) => text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");

/** What somebody wrote, with its links; very long texts open on demand. In notes, *people* are the names that are meant by `@`. */
export function Words({
  text,
  people,
  className,
}: {
  text: string;
  people?: readonly string[] | undefined;
  className?: string | undefined;
}) {
  const { t } = useTranslation();
  const [whole, setWhole] = useState(false);
  const shown = whole || text.length <= LONG ? text : `${text.slice(0, LONG)}…`;
  const names = people?.length ? new RegExp(`(@(?:${people.map(escaped).join("|")}))`, "g") : undefined;
  return (
    <>
      <span className={className} dir="auto">
        {shown.split(LINK).map((part, index) =>
          index % 2 ? (
            // biome-ignore lint/suspicious/noArrayIndexKey: parts of one unchanging text
            <a key={index} href={part} target="_blank" rel="noopener noreferrer nofollow">
              {part}
            </a>
          ) : names ? (
            part.split(names).map((piece, place) =>
              place % 2 ? (
                // biome-ignore lint/suspicious/noArrayIndexKey: parts of one unchanging text
                <span key={place} className={classes.mention}>
                  {piece}
                </span>
              ) : (
                piece
              ),
            )
          ) : (
            part
          ),
        )}
      </span>
      {text.length > LONG && (
        <UnstyledButton display="block" fz="sm" fw={600} c="clarin" onClick={() => setWhole(!whole)}>
          {t(whole ? "inbox.less" : "inbox.whole", { count: text.length })}
        </UnstyledButton>
      )}
    </>
  );
}
