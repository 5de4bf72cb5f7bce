// A person plays the customer and the owner: phones on the left, one phone's chats, and one chat.
const TEXTS = {
  es: {
    title: 'Teléfonos de prueba', language: 'Idioma', phones: 'Teléfonos', newPhone: 'Nuevo teléfono', number: 'Número con código de país',
    name: 'Nombre', create: 'Crear', back: 'Volver', link: 'Vincular una sesión a este teléfono',
    qr: 'Texto del código QR (o pega aquí su imagen)', scan: 'Escanear', code: 'Código de ocho letras de la pantalla', type: 'Escribirlo',
    writeTo: 'Escribir a', openChat: 'Abrir chat', chats: 'Chats', messages: 'Mensajes', attach: 'Adjuntar un archivo', message: 'Mensaje',
    send: 'Enviar', remove: 'Desvincular', session: 'Sesión', connected: 'conectada', away: 'ausente', linked: 'Sesión vinculada.',
    intro: 'WhatsApp de mentira, solo en esta máquina. Crea un teléfono para el negocio y otro para un cliente.',
    pick: "Elige un teléfono y escribe desde él a un número del negocio.",
    up: 'Red activa', down: 'Red caída', sent: 'enviado', delivered: 'entregado', read: 'leído', played: 'escuchado', empty: 'Aún no hay mensajes.',
    composing: 'escribiendo…', recording: 'grabando audio…', lost: 'Sin conexión con la red de prueba.', noQr: 'No se encontró un código QR en la imagen.',
    business: 'con sesiones', file: 'archivo',
    codes: {
      'phone-exists': 'Ya hay un teléfono con este número.', 'bad-number': 'Un número tiene de 7 a 15 cifras, con su código de país.',
      'not-on-whatsapp': 'Ese número no está en WhatsApp: crea antes su teléfono.', 'bad-qr': 'Este no es el texto de un código QR de WhatsApp.',
      'qr-expired': 'Nadie muestra ya ese código: escanea el que está ahora en pantalla.', 'wrong-code': 'No es el código de la pantalla.',
      'no-code-shown': 'Ninguna sesión muestra ahora un código para este número.', 'session-gone': 'La sesión que lo mostraba se fue.',
    },
  },
  en: {
    title: 'Test phones', language: 'Language', phones: 'Phones', newPhone: 'New phone', number: 'Number with country code',
    name: 'Name', create: 'Create', back: 'Back', link: 'Link a session to this phone',
    qr: 'Text of the QR code (or paste its picture here)', scan: 'Scan', code: 'Eight-letter code on the screen', type: 'Type it',
    writeTo: 'Write to', openChat: 'Open chat', chats: 'Chats', messages: 'Messages', attach: 'Attach a file', message: 'Message',
    send: 'Send', remove: 'Unlink', session: 'Session', connected: 'connected', away: 'away', linked: 'Session linked.',
    intro: 'A make-believe WhatsApp, on this machine only. Create one phone for the business and another for a customer.',
    pick: "Choose a phone and write from it to one of the business's numbers.",
    up: 'Network up', down: 'Network down', sent: 'sent', delivered: 'delivered', read: 'read', played: 'played', empty: 'No messages yet.',
    composing: 'typing…', recording: 'recording audio…', lost: 'No connection to the test network.', noQr: 'No QR code was found in the picture.',
    business: 'with sessions', file: 'file', codes: {},
  },
  pt: {
    title: 'Telefones de teste', language: 'Idioma', phones: 'Telefones', newPhone: 'Novo telefone', number: 'Número com código do país',
    name: 'Nome', create: 'Criar', back: 'Voltar', link: 'Vincular uma sessão a este telefone',
    qr: 'Texto do código QR (ou cole aqui a imagem)', scan: 'Escanear', code: 'Código de oito letras da tela', type: 'Digitar',
    writeTo: 'Escrever para', openChat: 'Abrir conversa', chats: 'Conversas', messages: 'Mensagens', attach: 'Anexar um arquivo', message: 'Mensagem',
    send: 'Enviar', remove: 'Desvincular', session: 'Sessão', connected: 'conectada', away: 'ausente', linked: 'Sessão vinculada.',
    intro: 'Um WhatsApp de mentira, só nesta máquina. Crie um telefone para o negócio e outro para um cliente.',
    pick: "Escolha um telefone e escreva dele para um número do negócio.",
    up: 'Rede ativa', down: 'Rede fora do ar', sent: 'enviado', delivered: 'entregue', read: 'lido', played: 'ouvido', empty: 'Ainda não há mensagens.',
    composing: 'digitando…', recording: 'gravando áudio…', lost: 'Sem conexão com a rede de teste.', noQr: 'Nenhum código QR foi encontrado na imagem.',
    business: 'com sessões', file: 'arquivo',
    codes: {
      'phone-exists': 'Já existe um telefone com este número.', 'bad-number': 'Um número tem de 7 a 15 dígitos, com o código do país.',
      'not-on-whatsapp': 'Esse número não está no WhatsApp: crie antes o telefone.', 'bad-qr': 'Este não é o texto de um código QR do WhatsApp.',
      'qr-expired': 'Ninguém mostra mais esse código: escaneie o que está agora na tela.', 'wrong-code': 'Não é o código da tela.',
      'no-code-shown': 'Nenhuma sessão mostra agora um código para este número.', 'session-gone': 'A sessão que o mostrava saiu.',
    },
  },
};
const TICKS = { sent: '✓', delivered: '✓✓', read: '✓✓', played: '✓✓' };
const $ = (id) => document.getElementById(id);
const kept = (name, value) => { try { return value === undefined ? localStorage.getItem(name) : localStorage.setItem(name, value); } catch { return null; } };

let texts = TEXTS.es;
let phones = new Map();
let phone = null;
let other = null;
const read = new Set();  // what this page has ticked as read

/** Make an element; text is always text, never markup. */
function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith('on')) element.addEventListener(name.slice(2), value);
    else if (value !== false && value != null) element.setAttribute(name, value === true ? '' : value);
  }
  element.append(...children);
  return element;
}

/** Ask the control API; a refusal is shown in the reader's language and thrown. */
async function ask(method, path, body) {
  const form = body instanceof FormData;
  let answer;
  try {
    answer = await fetch(path, { method, body: form ? body : body && JSON.stringify(body), headers: form || !body ? {} : { 'Content-Type': 'application/json' } });
  } catch (error) {
    tell(texts.lost);
    throw error;
  }
  const result = await answer.json();
  if (!answer.ok) {
    tell(texts.codes[result.code] ?? result.detail);
    throw new Error(result.code);
  }
  return result;
}

let hiding = 0;
function tell(text) {
  clearTimeout(hiding);
  $('problem').textContent = text;
  $('problem').hidden = false;
  hiding = setTimeout(() => { $('problem').hidden = true; }, 6000);
}

function translate(language) {
  texts = TEXTS[language] ?? TEXTS.es;
  document.documentElement.lang = language;
  $('language').value = language;
  kept('language', language);
  document.title = texts.title;
  for (const element of document.querySelectorAll('[data-t]')) element.textContent = texts[element.dataset.t];
  for (const element of document.querySelectorAll('[data-label]')) element.setAttribute('aria-label', texts[element.dataset.label]);
}

const nameOf = (number) => phones.get(number)?.name ?? `+${number}`;

function row(number, note, current, choose) {
  const name = nameOf(number);
  const face = make('span', { class: 'face', 'aria-hidden': 'true' }, (name.replace(/^\+/, '')[0] ?? '?').toUpperCase());
  const text = make('span', {}, make('b', {}, name), make('small', {}, note ?? `+${number}`));
  return make('li', {}, make('button', { class: 'row', type: 'button', 'aria-current': String(current), onclick: choose }, face, text));
}

/** Fill a list without losing the keyboard's place in it. */
function fill(list, rows) {
  const focused = [...list.children].indexOf(document.activeElement?.closest('li'));
  list.replaceChildren(...rows);
  if (focused >= 0) list.children[focused]?.querySelector('button')?.focus();
}

async function showPhones() {
  phones = new Map((await ask('GET', '/phones')).items.map((item) => [item.number, item]));
  fill($('phones'), [...phones.values()].map((item) => {
    const note = item.sessions.length ? `+${item.number} · ${texts.business}` : undefined;
    return row(item.number, note, item.number === phone, () => choosePhone(item.number));
  }));
  const stats = await ask('GET', '/stats');
  $('network').textContent = texts[stats.network];
}

async function choosePhone(number) {
  phone = number;
  other = null;
  await showPhones();
  await showPhone();
}

async function showPhone() {
  $('phone').hidden = !phones.has(phone);
  $('chat').hidden = other === null;
  if ($('phone').hidden) return;
  const shown = await ask('GET', `/phones/${phone}`);
  $('phone-name').textContent = shown.name;
  $('phone-number').textContent = `+${shown.number}`;
  $('sessions').replaceChildren(...shown.sessions.map((session) => make('li', {},
    `${texts.session} ${session.device}: ${session.connected ? texts.connected : texts.away}`)));
  if (shown.sessions.length) {
    $('sessions').append(make('li', {}, make('button', { type: 'button', onclick: async () => { await ask('POST', `/sessions/${phone}/logout`); await refresh(); } }, texts.remove)));
  }
  $('numbers').replaceChildren(...[...phones.keys()].filter((number) => number !== phone).map((number) => make('option', { value: number }, nameOf(number))));
  fill($('chats'), shown.chats.map((number) => row(number, undefined, number === other, () => chooseChat(number))));
  $('typing').textContent = texts[shown.typing[other]] ?? '';
}

async function chooseChat(number) {
  other = number;
  $('messages').replaceChildren();
  await showPhone();
  await showChat();
  $('write').elements.text.focus();
}

async function showChat() {
  if (other === null) return;
  $('chat-name').textContent = nameOf(other);
  const { items } = await ask('GET', `/phones/${phone}/chats/${other}`);
  const list = $('messages');
  const atEnd = list.scrollHeight - list.scrollTop - list.clientHeight < 60 || list.childElementCount === 0;
  list.replaceChildren(...items.map(line));
  if (!items.length) list.append(make('li', { class: 'empty' }, texts.empty));
  if (atEnd) list.scrollTop = list.scrollHeight;
  const seen = items.filter((item) => !item.from_me && !read.has(`${phone} ${item.id}`)).slice(-20);
  for (const item of document.hidden ? [] : seen) {
    read.add(`${phone} ${item.id}`);
    ask('POST', `/phones/${phone}/receipts`, { id: item.id, type: 'read' }).catch(() => {});
  }
}

function line(item) {
  const at = new Date(item.at).toLocaleTimeString(document.documentElement.lang, { hour: '2-digit', minute: '2-digit' });
  const entry = make('li', { class: item.from_me ? 'mine' : '' });
  if (item.media) entry.append(media(item));
  entry.append(item.text || (item.media ? '' : `[${item.kind}]`));
  const foot = make('small', {}, at);
  if (item.status) foot.append(' ', make('span', { class: item.status === 'read' ? 'read' : '', title: texts[item.status], 'aria-label': texts[item.status], role: 'img' }, TICKS[item.status]));
  entry.append(foot);
  return entry;
}

function media(item) {
  const address = `/phones/${phone}/media/${encodeURIComponent(item.id)}`;
  if (item.kind === 'image' || item.kind === 'sticker') return make('img', { src: address, alt: item.text || item.kind, loading: 'lazy' });
  if (item.kind === 'audio' || item.kind === 'voice') return make('audio', { src: address, controls: true, preload: 'none' });
  const name = item.media.file_name || texts.file;
  return make('p', {}, make('a', { href: address, download: name }, name));
}

async function readQr(file) {
  if (!('BarcodeDetector' in window)) return tell(texts.noQr);
  const codes = await new BarcodeDetector({ formats: ['qr_code'] }).detect(await createImageBitmap(file));
  if (!codes.length) return tell(texts.noQr);
  $('scan').elements.qr.value = codes[0].rawValue;
  $('scan').requestSubmit();
}

let refreshing = null;
async function refresh() {
  await showPhones();
  await showPhone();
  await showChat();
}
/** Many news at once make one reading. */
function refreshSoon() {
  refreshing ??= setTimeout(async () => { refreshing = null; try { await refresh(); } catch { /* told already */ } }, 200);
}

function onSubmit(id, act) {
  $(id).addEventListener('submit', async (event) => {
    event.preventDefault();
    const button = event.target.querySelector('button');
    button.disabled = true;
    try { await act(event.target.elements, event.target); } catch { /* told already */ } finally { button.disabled = false; }
  });
}

onSubmit('create', async (fields, form) => {
  const made = await ask('POST', '/phones', { number: fields.number.value, name: fields.name.value });
  form.reset();
  await choosePhone(made.number);
});
onSubmit('scan', async (fields, form) => {
  await ask('POST', `/phones/${phone}/scan`, { qr: fields.qr.value });
  form.reset();
  tell(texts.linked);
  await refresh();
});
onSubmit('code', async (fields, form) => {
  await ask('POST', `/phones/${phone}/code`, { code: fields.code.value });
  form.reset();
  tell(texts.linked);
  await refresh();
});
onSubmit('open', async (fields, form) => {
  const number = fields.to.value.replace(/\D/g, '');
  form.reset();
  if (!phones.has(number)) return tell(texts.codes['not-on-whatsapp'] ?? 'There is no phone with this number: create it first.');
  await chooseChat(number);
});
onSubmit('write', async (fields) => {
  const file = fields.file.files[0];
  const text = fields.text.value;
  if (file) {
    const kind = ['image', 'video', 'audio'].find((name) => file.type.startsWith(`${name}/`)) ?? 'document';
    const form = new FormData();
    for (const [name, value] of Object.entries({ to: other, kind, caption: text })) form.append(name, value);
    form.append('file', file, file.name);
    await ask('POST', `/phones/${phone}/media`, form);
    fields.file.value = '';
  } else if (text.trim()) {
    await ask('POST', `/phones/${phone}/messages`, { to: other, text });
  }
  fields.text.value = '';
  $('messages').scrollTop = $('messages').scrollHeight;
  await refresh();
  fields.text.focus();
});
$('write').elements.file.addEventListener('change', () => $('write').requestSubmit());
let typed = 0;
$('write').elements.text.addEventListener('input', () => {
  if (Date.now() - typed < 3000 || other === null) return;
  typed = Date.now();
  ask('POST', `/phones/${phone}/typing`, { to: other }).catch(() => {});
});
$('scan').elements.qr.addEventListener('paste', (event) => {
  const file = [...event.clipboardData.files].find((item) => item.type.startsWith('image/'));
  if (file) { event.preventDefault(); readQr(file); }
});
$('language').addEventListener('change', (event) => { translate(event.target.value); refreshSoon(); });
$('back').addEventListener('click', () => { phone = other = null; refreshSoon(); });
$('close').addEventListener('click', () => { other = null; refreshSoon(); });
document.addEventListener('keydown', (event) => {
  if (event.key === 'Escape' && other !== null) { other = null; refreshSoon(); }
});

translate(kept('language') ?? 'es');
const news = new EventSource('/events');
news.onmessage = refreshSoon;
news.onopen = refreshSoon;
news.onerror = () => tell(texts.lost);
