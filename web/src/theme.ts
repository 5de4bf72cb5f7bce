import { type CSSVariablesResolver, createTheme, type MantineColorsTuple } from "@mantine/core";
import i18n from "./i18n";

/** What closes a dialog has a name, in the language that is spoken when it is shown. */
const closable = () => ({ closeButtonProps: { "aria-label": i18n.t("common.close") } });
/** It comes with a movement and goes at once: what is pressed next is not for a dialog that has been closed. */
const comes = { duration: 200, exitDuration: 0 };

const clarin: MantineColorsTuple = [
  "#e6f7f5",
  "#d3ebe8",
  "#a9d7d1",
  "#7bc2b9",
  "#55b0a5",
  "#3ca598",
  "#2c9f92",
  "#1b8a7e",
  "#0d7a6f",
  "#00665c",
];

/** A list of choices has room on a small screen, or at a zoom of 200 %, too. */
const choices = { defaultProps: { maxDropdownHeight: "min(260px, 38dvh)" } };

export const theme = createTheme({
  primaryColor: "clarin",
  primaryShade: 8,
  colors: { clarin },
  defaultRadius: "md",
  fontFamily: "Inter, -apple-system, BlinkMacSystemFont, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif",
  headings: { fontWeight: "650" },
  cursorType: "pointer",
  respectReducedMotion: true,
  // Said without the components themselves: a first visit shows none of them.
  components: {
    // Words are written as words.
    Badge: { defaultProps: { tt: "none" } },
    Modal: {
      defaultProps: () => ({ ...closable(), transitionProps: { ...comes, transition: "fade-down" } }),
      styles: { title: { fontWeight: 650 } },
    },
    Drawer: { defaultProps: () => ({ ...closable(), transitionProps: comes }), styles: { title: { fontWeight: 650 } } },
    // Its first item has the focus, as a menu's has everywhere; what would have it before that is no item of a menu.
    Menu: { defaultProps: { withInitialFocusPlaceholder: false } },
    Select: choices,
    MultiSelect: choices,
    TagsInput: choices,
    Autocomplete: choices,
    // Initials stand beside the name that they are of.
    Avatar: { defaultProps: { "aria-hidden": true } },
    // A button without a name, for what the swatches and the field do as well.
    ColorInput: { defaultProps: { withEyeDropper: false } },
    // What scrolls sideways does so by keys too.
    TableScrollContainer: { defaultProps: { scrollAreaProps: { viewportProps: { tabIndex: 0 } } } },
  },
});

const each = (used: { colors: object }, say: (name: string) => Record<string, string>) =>
  Object.assign(
    {},
    ...Object.keys(used.colors)
      .filter((name) => name !== "dark")
      .map(say),
  ) as Record<string, string>;

/** The library's own faint texts and badges are too faint to read: at least 4.5 to 1 on every ground that they stand on. */
export const readable: CSSVariablesResolver = (used) => ({
  variables: {},
  light: {
    "--mantine-color-dimmed": "#5a6268",
    "--mantine-color-placeholder": "#6c747b",
    "--mantine-color-error": "#c92a2a",
    ...each(used, (name) => ({
      [`--mantine-color-${name}-light-color`]: `color-mix(in srgb, var(--mantine-color-${name}-9) 72%, black)`,
      [`--mantine-color-${name}-text`]: `color-mix(in srgb, var(--mantine-color-${name}-9) 88%, black)`,
    })),
  },
  dark: {
    "--mantine-color-dimmed": "#adb0b5",
    "--mantine-color-placeholder": "#999ea4",
    "--mantine-color-error": "#ff8787",
    ...each(used, (name) => ({
      [`--mantine-color-${name}-light-color`]: `var(--mantine-color-${name}-2)`,
      [`--mantine-color-${name}-text`]: `var(--mantine-color-${name}-4)`,
    })),
  },
});
