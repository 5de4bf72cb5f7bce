import { NumberInput, Switch, TextInput } from "@mantine/core";
import { useEffect, useState } from "react";
import type { ContactField } from "@/api/inbox";
import { OneOf } from "@/shell/choose";

type Value = string | number | boolean;

/** One of the account's own fields of a contact, as its kind asks; it is saved when it is left. */
export function FieldValue({
  field,
  value,
  save,
}: {
  field: ContactField;
  value: Value | undefined;
  save: (value: Value | null) => void;
}) {
  const [text, setText] = useState(value === undefined ? "" : String(value));
  useEffect(() => setText(value === undefined ? "" : String(value)), [value]);
  const leave = (next: Value | null) => {
    if (next !== (value ?? null)) save(next);
  };
  switch (field.kind) {
    case "choice":
      return (
        <OneOf
          size="xs"
          label={field.name}
          data={[...(field.choices ?? [])]}
          value={typeof value === "string" ? value : null}
          onChange={leave}
          clearable
        />
      );
    case "boolean":
      return (
        <Switch
          size="xs"
          label={field.name}
          checked={value === true}
          onChange={(event) => leave(event.currentTarget.checked)}
        />
      );
    case "number":
      return (
        <NumberInput
          size="xs"
          label={field.name}
          value={text}
          onChange={(next) => setText(String(next))}
          onBlur={() => leave(text === "" ? null : Number(text))}
        />
      );
    default:
      return (
        <TextInput
          size="xs"
          label={field.name}
          type={field.kind === "date" ? "date" : "text"}
          value={text}
          dir="auto"
          onChange={(event) => setText(event.currentTarget.value)}
          onBlur={() => leave(text.trim() || null)}
          onKeyDown={(event) => event.key === "Enter" && event.currentTarget.blur()}
        />
      );
  }
}
