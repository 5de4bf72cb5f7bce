import {
  IconChartBar,
  IconFile,
  IconLock,
  IconMapPin,
  IconMessageQuestion,
  IconMicrophone,
  IconMusic,
  IconNote,
  IconPhoto,
  IconSticker,
  IconUser,
  IconVideo,
} from "@tabler/icons-react";

const ICONS = new Map<string, typeof IconPhoto>(
  Object.entries({
    image: IconPhoto,
    video: IconVideo,
    audio: IconMusic,
    voice: IconMicrophone,
    document: IconFile,
    sticker: IconSticker,
    location: IconMapPin,
    contact: IconUser,
    poll: IconChartBar,
    undecryptable: IconLock,
    note: IconNote,
  }),
);

export const iconOf = (kind: string) => ICONS.get(kind) ?? IconMessageQuestion;
