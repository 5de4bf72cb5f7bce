import { Notifications } from "@mantine/notifications";

export default function NotesBoard() {
  return <Notifications position="top-center" />;
}
