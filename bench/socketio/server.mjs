// The same work as realtime's, the way it is done with socket.io: a room for everybody who sees the same, events of the bus told to
// the rooms that may see them. One process, WebSockets alone, nothing compressed: its defaults, but for the polling it begins with.
import { createServer } from "node:http";
import { connect } from "nats";
import { Server } from "socket.io";

const { NATS_URL, PORT } = process.env;
const at = new URL(NATS_URL);
const http = createServer((_, answer) => answer.end("ok"));
const io = new Server(http, { transports: ["websocket"], serveClient: false, pingInterval: 25_000 });

io.on("connection", (socket) => {
  const { tenant, rooms } = socket.handshake.query;
  for (const room of rooms.split(",")) socket.join(`${tenant}:${room}`);
});

const bus = await connect({
  servers: `${at.hostname}:${at.port}`,
  user: at.username,
  pass: at.password,
  inboxPrefix: `_INBOX_${at.username}`,
});
const consumer = await bus.jetstream().consumers.get("EVENTS", { filterSubjects: ["evt.conversations.>", "evt.devices.>"], deliver_policy: "new" });
const messages = await consumer.consume({ max_messages: 2_000 });
const decoder = new TextDecoder();

http.listen(Number(PORT), "127.0.0.1");
for await (const message of messages) {
  const { tenant, audience = {}, data } = JSON.parse(decoder.decode(message.data));
  let told = io.to(`${tenant}:all`);
  if (audience.team) told = told.to(`${tenant}:team:${audience.team}`);
  if (audience.assignee) told = told.to(`${tenant}:user:${audience.assignee}`);
  told.emit("new_message", data);
}
