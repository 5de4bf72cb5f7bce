"""A real session: neonize in a process of its own, told what to do by lines of JSON and telling what happens by lines of JSON.

It knows nothing of the network on loopback.  In: `{"n", "do", ...}`.  Out: `{"event", ...}`, and `{"n", "result"}` or `{"n", "error"}`.
"""

import base64
import json
import os
import sys
import threading

import pylibmagic  # noqa: F401  (python-magic finds its library through it)

OUT = os.fdopen(os.dup(1), "w", buffering=1)
os.dup2(2, 1)  # Go and neonize print to stdout
LOCK = threading.Lock()


def tell(**what):
    with LOCK:
        OUT.write(json.dumps(what) + "\n")
        OUT.flush()


def main(store, jid):
    import logging

    if not os.environ.get("DEBUG"):
        logging.disable(logging.CRITICAL)
    else:
        logging.basicConfig(level=logging.DEBUG)
    from neonize import events
    from neonize.client import NewClient
    from neonize.utils.enum import (
        BlocklistAction,
        ChatPresence,
        ChatPresenceMedia,
        ClientName,
        ClientType,
        MediaType,
        Presence,
        ReceiptType,
    )
    from neonize.utils.jid import build_jid

    new = not jid
    client = NewClient(store, jid=build_jid(*jid.rsplit("@", 1)) if jid else None, uuid=f"session-{os.getpid()}", new_device=new)
    files = {}

    @client.event.qr
    def _(_client, text):
        tell(event="qr", text=text.decode())

    def on(kind, name, read):
        client.event(kind)(lambda _client, event: tell(event=name, **read(event)))

    def message(event):
        source, body = event.Info.MessageSource, event.Message
        files[event.Info.ID] = body
        text = body.conversation or body.extendedTextMessage.text or body.imageMessage.caption or body.documentMessage.caption
        return {
            "id": event.Info.ID,
            "text": text,
            "chat": f"{source.Chat.User}@{source.Chat.Server}",
            "sender": f"{source.Sender.User}@{source.Sender.Server}",
            "alt": f"{source.SenderAlt.User}@{source.SenderAlt.Server}",
            "from_me": source.IsFromMe,
            "name": event.Info.Pushname,
        }

    on(events.PairStatusEv, "paired", lambda e: {"jid": f"{e.ID.User}:{e.ID.Device}@{e.ID.Server}"})
    on(events.ConnectedEv, "connected", lambda e: {})
    on(events.DisconnectedEv, "disconnected", lambda e: {})
    on(events.LoggedOutEv, "logged_out", lambda e: {"reason": int(e.Reason)})
    on(events.StreamReplacedEv, "replaced", lambda e: {})
    on(events.TemporaryBanEv, "banned", lambda e: {"code": int(e.Code), "expire": int(e.Expire)})

    @client.event(events.MessageEv)
    def _(_client, event):
        if not event.Message.HasField("protocolMessage"):
            tell(event="message", **message(event))

    on(events.UndecryptableMessageEv, "undecryptable", lambda e: {"id": e.Info.ID})
    on(events.ReceiptEv, "receipt", lambda e: {"ids": list(e.MessageIDs), "type": int(e.Type)})
    on(events.ChatPresenceEv, "typing", lambda e: {"state": int(e.State), "media": int(e.Media)})
    on(events.GroupInfoEv, "group", lambda e: {"group": f"{e.JID.User}@{e.JID.Server}", "subject": e.Name.Name})
    on(
        events.BlocklistEv,
        "blocklist",
        lambda e: {"changes": [[f"{c.JID.User}@{c.JID.Server}", c.BlockAction == c.BLOCK] for c in e.Changes]},
    )
    on(events.PresenceEv, "presence", lambda e: {"unavailable": e.Unavailable})
    on(
        events.HistorySyncEv,
        "history",
        lambda e: {
            "texts": [m.message.message.conversation for c in e.Data.conversations for m in c.messages],
            "type": int(e.Data.syncType),
        },
    )

    def jid_of(text):
        user, _, server = text.partition("@")
        return build_jid(user, server or "s.whatsapp.net")

    def send(to, text):
        return client.send_message(jid_of(to), text).ID

    def send_document(to, data, name, caption):
        return client.send_document(jid_of(to), base64.b64decode(data), caption, name, name).ID

    def download(id):
        return base64.b64encode(client.download_any(files[id])).decode()

    def read(id, chat):
        client.mark_read(id, chat=jid_of(chat), sender=jid_of(chat), receipt=ReceiptType.READ)

    def typing(to):
        client.send_chat_presence(jid_of(to), ChatPresence.CHAT_PRESENCE_COMPOSING, ChatPresenceMedia.CHAT_PRESENCE_MEDIA_TEXT)

    def subscribe(to):
        client.send_presence(Presence.AVAILABLE)
        client.subscribe_presence(jid_of(to))

    def code(phone):
        return client.PairPhone(phone, True, ClientName.LINUX, ClientType.CHROME)

    def known(*numbers):
        return {found.Query: found.IsIn for found in client.is_on_whatsapp(*numbers)}

    def upload(data):
        return client.upload(base64.b64decode(data), MediaType.MediaImage).url

    def group(to):
        found = client.get_group_info(jid_of(to))
        return {"subject": found.GroupName.Name, "members": sorted(p.PhoneNumber.User for p in found.Participants)}

    def block(who, action):
        listed = client.update_blocklist(jid_of(who), BlocklistAction(action))
        return {"blocked": sorted(f"{jid.User}@{jid.Server}" for jid in listed.JIDs)}

    def blocked():
        return {"blocked": sorted(f"{jid.User}@{jid.Server}" for jid in client.get_blocklist().JIDs)}

    todo = {f.__name__: f for f in (block, blocked, group, send, send_document, download, read, typing, subscribe, code, known, upload)}
    todo["logout"] = client.logout

    def connect():
        try:
            client.connect()
        except BaseException as error:
            tell(event="ended", error=repr(error))

    threading.Thread(target=connect, daemon=True).start()
    for line in sys.stdin:
        order = json.loads(line)
        try:
            result = todo[order["do"]](*order.get("args", ()))
            tell(n=order["n"], result=result if isinstance(result, (str, dict)) else None)
        except BaseException as error:
            tell(n=order["n"], error=repr(error))
    os._exit(0)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else "")
