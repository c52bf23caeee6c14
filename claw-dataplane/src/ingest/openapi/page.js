"use strict";
// Opens what a link points at, and shows only the routes that hold what was typed.
const articles = [...document.querySelectorAll("article")];
const links = new Map([...document.querySelectorAll("nav a")].map((a) => [a.hash.slice(1), a]));
function openTarget() {
  const article = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  const details = article && article.querySelector("details");
  if (details) details.open = true;
}
addEventListener("hashchange", openTarget);
openTarget();
document.getElementById("find").addEventListener("input", (event) => {
  const wanted = event.target.value.toLowerCase();
  for (const article of articles) {
    const shown = article.textContent.toLowerCase().includes(wanted);
    article.hidden = !shown;
    const link = links.get(article.id);
    if (link) link.hidden = !shown;
  }
});
