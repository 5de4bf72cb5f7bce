import { Paper, Text, UnstyledButton } from "@mantine/core";
import { useEffect, useRef } from "react";
import { useTranslation } from "react-i18next";

export type Suggestion = { id: string; name: string; hint?: string };

export const optionId = (index: number) => `suggestion-${index}`;
export const SUGGESTIONS = "suggestions";

/** What completes the word at the caret; the keys stay with the text box. */
export function Suggest({
  items,
  at,
  label,
  empty,
  onPick,
}: {
  items: Suggestion[];
  at: number;
  label: string;
  empty: string;
  onPick: (index: number) => void;
}) {
  const { t } = useTranslation();
  const current = useRef<HTMLButtonElement>(null);
  // biome-ignore lint/correctness/useExhaustiveDependencies: whichever is chosen now is to be seen
  useEffect(() => {
    // Newer browsers give a promise, which is nothing to clean up with.
    current.current?.scrollIntoView({ block: "nearest" });
  }, [at]);
  return (
    <Paper
      withBorder
      shadow="md"
      pos="absolute"
      bottom="100%"
      left={12}
      right={12}
      mb={6}
      p={4}
      mah={260}
      style={{ overflowY: "auto", zIndex: 15 }}
      role="listbox"
      id={SUGGESTIONS}
      aria-label={label}
    >
      {items.map((item, index) => (
        <UnstyledButton
          key={item.id}
          id={optionId(index)}
          ref={index === at ? current : undefined}
          role="option"
          aria-selected={index === at}
          tabIndex={-1}
          w="100%"
          px={10}
          py={6}
          bdrs="sm"
          bg={index === at ? "light-dark(var(--mantine-color-clarin-0), var(--mantine-color-dark-5))" : undefined}
          onMouseDown={(event) => event.preventDefault()}
          onClick={() => onPick(index)}
        >
          <Text size="sm" fw={600} truncate>
            {item.name}
          </Text>
          {item.hint && (
            <Text size="xs" c="dimmed" truncate dir="auto">
              {item.hint}
            </Text>
          )}
        </UnstyledButton>
      ))}
      {!items.length && (
        <Text size="sm" c="dimmed" p={8}>
          {empty}
        </Text>
      )}
      <Text size="xs" c="dimmed" px={10} pt={4}>
        {t("compose.suggestHint")}
      </Text>
    </Paper>
  );
}
