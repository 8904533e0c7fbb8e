const REFRESH_MS = 4000;
const main = document.querySelector("main");
const notice = document.querySelector(".notice");
const warning = notice.textContent;

async function refresh() {
    if (!document.hidden && String(getSelection()) === "") {
        try {
            const answer = await fetch(location.href, { cache: "no-store" });
            const page = new DOMParser().parseFromString(await answer.text(), "text/html");
            for (const { id } of main.querySelectorAll("details[open]")) {
                page.getElementById(id)?.setAttribute("open", "");
            }
            main.replaceChildren(...page.querySelector("main").childNodes);
            notice.textContent = warning;
        } catch {
            notice.textContent =
                "Le service d’essai ne répond plus. Relancez-le\u00a0: cette page reprendra seule.";
        }
    }
    setTimeout(refresh, REFRESH_MS);
}

setTimeout(refresh, REFRESH_MS);
