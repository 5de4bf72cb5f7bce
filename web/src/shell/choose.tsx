import { type ComboboxParsedItem, MultiSelect, type MultiSelectProps, Select, type SelectProps } from "@mantine/core";
import { useTranslation } from "react-i18next";
import { found } from "./found";

/** So many are seen at a glance; of more one is found by its letters. */
const GLANCE = 10;
/** Where a keyboard would come up from below and hide the few that there are. */
const touched = () => matchMedia("(pointer: coarse)").matches;
/** So many are drawn at a time, of hundreds of numbers as well. */
const DRAWN = 60;

type Asked = { options: ComboboxParsedItem[]; search: string; limit: number };

/** What a choice among the things of an account needs, of which there may be a few, or hundreds. */
function useMany(data: SelectProps["data"]) {
  const { t } = useTranslation();
  const count = (data ?? []).flatMap((one) => (typeof one === "object" && "items" in one ? one.items : one)).length;
  return {
    searchable: count > GLANCE || !touched(),
    limit: DRAWN,
    nothingFoundMessage: t(count ? "choose.none" : "choose.empty"),
    filter: ({ options, search, limit }: Asked) => {
      const { shown, more } = found(options, search, limit);
      return more ? [...shown, { value: "", label: t("choose.more", { count: more }), disabled: true }] : shown;
    },
  };
}

/** One of them. */
export function OneOf(props: SelectProps) {
  return <Select {...useMany(props.data)} {...props} />;
}

/** Some of them. */
export function SomeOf(props: MultiSelectProps) {
  return <MultiSelect {...useMany(props.data)} {...props} />;
}
