const WORDS = {
  en: ["Offline", "Clarin could not be reached. It is tried again every few seconds.", "Try now"],
  pt: ["Sem conexão", "Não foi possível chegar ao Clarin. Uma nova tentativa é feita a cada poucos segundos.", "Tentar agora"],
};
const language = (localStorage.getItem("clarin.language") ?? navigator.language).slice(0, 2);
const words = WORDS[language];
if (words) {
  document.documentElement.lang = language;
  for (const [index, element] of document.querySelectorAll("h1, p, button").entries()) element.textContent = words[index];
}

/** Loads the page that was asked for as soon as the server answers. */
async function again() {
  const answer = await fetch("/api/meta", { cache: "no-store" }).catch(() => undefined);
  if (answer?.ok) window.location.reload();
}

document.querySelector("button").addEventListener("click", again);
window.addEventListener("online", again);
setInterval(again, 5000);
