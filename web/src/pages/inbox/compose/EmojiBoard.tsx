import { Center, Loader } from "@mantine/core";
import { lazy, Suspense } from "react";

const Picker = lazy(() => import("./EmojiPicker"));

/** Every emoji, by name in the user's language; it is fetched when somebody first wants it. */
export function EmojiBoard({ onPick }: { onPick: (emoji: string) => void }) {
  return (
    <Suspense
      fallback={
        <Center w={320} h={320}>
          <Loader size="sm" />
        </Center>
      }
    >
      <Picker onPick={onPick} />
    </Suspense>
  );
}
