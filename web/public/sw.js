// Where there is no network when the panel is opened, or no server behind what stands before it, a page that says so and
// tries again stands in for it. Nothing else is ever kept: what is on the screen comes from the server, or not at all.
const KEPT = "clarin-2";
const AWAY = [502, 503, 504];
const FILES = ["/offline.html", "/offline.js", "/offline.css", "/icon.svg"];

self.addEventListener("install", (event) => {
  event.waitUntil(
    caches
      .open(KEPT)
      .then((cache) => cache.addAll(FILES.map((path) => new Request(path, { cache: "reload" }))))
      .then(() => self.skipWaiting()),
  );
});

self.addEventListener("activate", (event) => {
  event.waitUntil(
    caches
      .keys()
      .then((names) => Promise.all(names.filter((name) => name !== KEPT).map((name) => caches.delete(name))))
      .then(() => self.clients.claim()),
  );
});

/** What the server answers, or what is kept where it does not. */
async function orKept(request, path) {
  const answer = await fetch(request).catch(() => undefined);
  if (answer && !AWAY.includes(answer.status)) return answer;
  return (await caches.match(path)) ?? answer ?? Response.error();
}

self.addEventListener("fetch", (event) => {
  const { request } = event;
  const path = new URL(request.url).pathname;
  if (request.mode === "navigate" && !path.startsWith("/api/")) event.respondWith(orKept(request, "/offline.html"));
  else if (FILES.includes(path)) event.respondWith(orKept(request, path));
});

self.addEventListener("notificationclick", (event) => {
  event.notification.close();
  const path = event.notification.data?.path ?? "/inbox";
  event.waitUntil(
    self.clients.matchAll({ type: "window" }).then(async ([open]) => {
      if (!open) return self.clients.openWindow(path);
      await open.focus();
      open.postMessage({ open: path });
    }),
  );
});
