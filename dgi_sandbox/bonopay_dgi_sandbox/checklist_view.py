"""The go-live checklist on the page: what is open comes with what to do, what is passed with its proof."""

from html import escape
from itertools import groupby

from .checklist import Report, Standing
from .faults import from_timestamp


def render_checklist(report: Report) -> str:
    """An HTML `details`, closed at first; its id lets the page keep it open when it renews itself."""
    total = len(report.standings)
    ready = " ready" if report.passed == total else ""
    sections = groupby(report.standings, key=lambda one: one.scenario.section)
    hint = '<p class="hint">Un profil se choisit par <code>POST /admin/profile</code>, voir le README.</p>'
    late = f'<p class="late">Encore {report.behind} échanges à examiner.</p>' if report.behind else ""
    return (
        f'<details class="checklist{ready}" id="mise-en-service-{escape(report.nim)}"><summary>'
        f'<span>Mise en service</span><progress max="{total}" value="{report.passed}"></progress>'
        f"<span>{_count(report.passed, total)}</span></summary>{hint}{late}"
        f'<div class="scenarios">{"".join(_section(name, list(members)) for name, members in sections)}</div></details>'
    )


def _count(passed: int, total: int) -> str:
    if passed == total:
        return f"Les {total} scénarios sont réussis\u00a0: prêt pour la DGI"
    return f"{passed} scénario{'s' if passed > 1 else ''} réussi{'s' if passed > 1 else ''} sur {total}"


def _section(name: str, members: list[Standing]) -> str:
    passed = sum(one.passed_at is not None for one in members)
    rows = "".join(map(_standing, members))
    return f"<div><h4>{escape(name)} <span>{passed} / {len(members)}</span></h4><ul>{rows}</ul></div>"


def _standing(standing: Standing) -> str:
    title = escape(standing.scenario.title)
    if standing.passed_at is None:
        return f'<li class="open"><strong>{title}</strong><p>{escape(standing.scenario.todo)}</p></li>'
    when = f"{from_timestamp(standing.passed_at):%d/%m %H:%M}"
    proof = f"{escape(standing.rn)}, {when}" if standing.rn else when
    return f'<li class="passed"><strong>{title}</strong><p>Réussi\u00a0: {proof}</p></li>'
