import "yet-another-react-lightbox/styles.css";
import { useTranslation } from "react-i18next";
import Lightbox from "yet-another-react-lightbox";
import Download from "yet-another-react-lightbox/plugins/download";
import Video from "yet-another-react-lightbox/plugins/video";
import Zoom from "yet-another-react-lightbox/plugins/zoom";
import type { Message } from "@/api/types";

/** The pictures and videos of a conversation, large: arrows lead from one to the next, Escape leads out. */
export default function Viewer({ items, at, onClose }: { items: Message[]; at: string; onClose: () => void }) {
  const { t } = useTranslation();
  const slides = items.map((message) => {
    const { url, mime, width, height } = message.media ?? {};
    const name = message.media?.file_name || message.id;
    if (message.kind === "video") {
      return {
        type: "video" as const,
        width: width ?? 1280,
        height: height ?? 720,
        sources: [{ src: url ?? "", type: mime ?? "video/mp4" }],
        download: { url: url ?? "", filename: name },
      };
    }
    return {
      src: url ?? "",
      alt: message.text || t("message.kind.image"),
      ...(width && height ? { width, height } : {}),
      download: { url: url ?? "", filename: name },
    };
  });
  return (
    <Lightbox
      open
      close={onClose}
      index={Math.max(
        0,
        items.findIndex((one) => one.id === at),
      )}
      slides={slides}
      plugins={[Zoom, Download, Video]}
      carousel={{ finite: true }}
      controller={{ closeOnBackdropClick: true }}
      zoom={{ maxZoomPixelRatio: 4, scrollToZoom: true }}
      labels={{
        Previous: t("media.previous"),
        Next: t("media.next"),
        Close: t("common.close"),
        "Zoom in": t("media.zoomIn"),
        "Zoom out": t("media.zoomOut"),
        Download: t("media.download"),
      }}
    />
  );
}
