// Keeps a page live: asks the server for the same page again and takes over the parts that changed.
//
// Parts are elements with an id and data-live. A run's page says where its events come from (data-events) and which
// kinds there are (data-kinds); other pages are asked for every few seconds (data-refresh-s) while a part says that
// something is going on (data-going). Ticks and opened folds survive.
"use strict";
{
  const SOONEST_MS = 700;
  const body = document.body;
  const parts = () => [...document.querySelectorAll("[data-live][id]")];
  const shown = new Map(parts().map((part) => [part.id, part.outerHTML]));
  let isAsking = false;
  let isOwed = false;

  const marks = (part) => ({
    ticked: [...part.querySelectorAll("input:checked")].map((input) => `${input.name}=${input.value}`),
    opened: [...part.querySelectorAll("details[open][id]")].map((fold) => fold.id),
  });

  const replace = (old, fresh) => {
    const { ticked, opened } = marks(old);
    const focused = old.contains(document.activeElement) ? document.activeElement.id : "";
    const taken = document.importNode(fresh, true);
    for (const input of taken.querySelectorAll("input[type=checkbox]"))
      input.checked ||= ticked.includes(`${input.name}=${input.value}`);
    for (const id of opened) taken.querySelector(`#${CSS.escape(id)}`)?.setAttribute("open", "");
    old.replaceWith(taken);
    if (focused) document.getElementById(focused)?.focus();
    taken.dispatchEvent(new CustomEvent("renewed", { bubbles: true }));
  };

  const refresh = async () => {
    if (isAsking) {
      isOwed = true;
      return;
    }
    isAsking = true;
    try {
      const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
      if (answer.ok && !answer.redirected) {
        const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
        for (const part of parts()) {
          const renewed = fresh.getElementById(part.id);
          if (renewed && renewed.outerHTML !== shown.get(part.id)) {
            shown.set(part.id, renewed.outerHTML);
            replace(part, renewed);
          }
        }
      }
    } catch {
      // The service is away for the moment; the next event or tick asks again.
    }
    setTimeout(() => {
      isAsking = false;
      if (isOwed) {
        isOwed = false;
        refresh();
      }
    }, SOONEST_MS);
  };

  if (body.dataset.events) {
    const source = new EventSource(body.dataset.events);
    for (const kind of body.dataset.kinds.split(" ")) source.addEventListener(kind, refresh);
    source.addEventListener("end", () => {
      source.close();
      refresh();
    });
  }
  if (body.dataset.refreshS) {
    setInterval(() => {
      if (!document.hidden && document.querySelector("[data-going]")) refresh();
    }, 1000 * Number(body.dataset.refreshS));
  }
}
