import { Select, TagsInput, TextInput } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useTranslation } from "react-i18next";
import { data, throwing } from "@/api/calls";
import type { FieldPut } from "@/api/generated";
import * as sdk from "@/api/generated";
import { Loaded } from "@/shell/Loaded";
import { plain } from "@/shell/plain";
import { Lines } from "./Lines";

const KINDS = ["text", "number", "date", "boolean", "choice"] as const;

/** The key under which programs find a field: made of its name, and kept from then on. */
export const keyOf = (name: string) =>
  plain(name)
    .replace(/[^a-z0-9]+/g, "_")
    .replace(/^[^a-z]+|_+$/g, "")
    .slice(0, 40);

/** What the account wants to know of a customer, beside what everybody does. */
export function Fields() {
  const { t } = useTranslation();
  const fields = useQuery({
    queryKey: ["contact-fields"],
    queryFn: () => data(sdk.contactsListContactFields(throwing)),
  });
  return (
    <Loaded query={fields}>
      {({ items }) => {
        const known = new Set(items.map(({ key }) => key));
        return (
          <Lines<FieldPut>
            key={JSON.stringify(items)}
            title={t("fields.title")}
            subtitle={t("fields.subtitle")}
            none={t("fields.empty")}
            items={items}
            queryKey="contact-fields"
            fresh={() => ({ key: "", name: "", kind: "text", choices: [] })}
            name={({ name }) => name}
            valid={({ key, name, kind, choices }) =>
              name.trim() !== "" && key !== "" && (kind !== "choice" || (choices?.length ?? 0) > 0)
            }
            save={(next) => data(sdk.contactsSetContactFields({ ...throwing, body: { items: next } }))}
          >
            {(field, set) => (
              <>
                <TextInput
                  aria-label={t("tags.name")}
                  placeholder={t("fields.example")}
                  value={field.name}
                  maxLength={100}
                  flex={1}
                  miw={150}
                  onChange={(event) => {
                    const name = event.currentTarget.value;
                    set(known.has(field.key) ? { name } : { name, key: keyOf(name) });
                  }}
                />
                <Select
                  aria-label={t("fields.kind")}
                  w={140}
                  data={KINDS.map((kind) => ({ value: kind, label: t(`fields.kinds.${kind}`) }))}
                  value={field.kind}
                  allowDeselect={false}
                  disabled={known.has(field.key)}
                  onChange={(kind) => kind && set({ kind: kind as FieldPut["kind"] })}
                />
                {field.kind === "choice" && (
                  <TagsInput
                    aria-label={t("fields.choices")}
                    placeholder={t("fields.choices")}
                    w="100%"
                    value={field.choices ?? []}
                    onChange={(choices) => set({ choices })}
                  />
                )}
              </>
            )}
          </Lines>
        );
      }}
    </Loaded>
  );
}
