import { createTheme, type MantineColorsTuple, Modal } from "@mantine/core";

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

export const theme = createTheme({
  primaryColor: "clarin",
  primaryShade: { light: 8, dark: 6 },
  colors: { clarin },
  defaultRadius: "md",
  fontFamily: "Inter, -apple-system, BlinkMacSystemFont, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif",
  headings: { fontWeight: "650" },
  cursorType: "pointer",
  respectReducedMotion: true,
  components: { Modal: Modal.extend({ styles: { title: { fontWeight: 650 } } }) },
});
