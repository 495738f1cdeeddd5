"""How the pages look: plain HTML with its style inside, nothing from outside."""

from __future__ import annotations

from datetime import UTC, datetime
from html import escape
from typing import Any

STYLE = """
:root{color-scheme:light}*{box-sizing:border-box}body{margin:0;background:#f6f8fa;color:#1a1f36;
font:15px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif}main{max-width:1240px;margin:0 auto;
padding:32px 20px}
main.narrow{max-width:460px}
form.wide select{width:100%}h1{font-size:22px;margin:0 0 4px}h2{font-size:16px;margin:32px 0 10px}
.card{background:#fff;border:1px solid #e3e8ee;border-radius:10px;padding:24px;box-shadow:0 1px 3px #0000000f}
.total{font-size:34px;font-weight:650;margin:10px 0 18px}.mute{color:#697386}.small{font-size:13px}
table{width:100%;border-collapse:collapse;background:#fff;border:1px solid #e3e8ee;border-radius:10px;overflow:hidden}
th,td{padding:9px 12px;text-align:left;border-bottom:1px solid #eef1f4;vertical-align:middle}
th{font-size:12px;color:#697386;text-transform:uppercase;letter-spacing:.04em;background:#fafbfc}
tr:last-child td{border-bottom:0}form{display:inline-flex;gap:6px;margin:2px 4px 2px 0;align-items:center}
form.wide{display:flex;flex-direction:column;align-items:stretch;gap:10px;margin:0}
button{font:inherit;border:1px solid #d5dbe1;background:#fff;border-radius:7px;padding:6px 12px;cursor:pointer}
button:hover{background:#f2f4f7}button:focus-visible,input:focus-visible,select:focus-visible{
outline:3px solid #635bff66}
button.main{background:#635bff;border-color:#635bff;color:#fff;padding:11px;font-weight:600}
button.main:hover{background:#5147e5}input,select{font:inherit;
padding:6px 8px;border:1px solid #d5dbe1;border-radius:7px;background:#fff}
input.short{width:90px}.tag{display:inline-block;padding:1px 9px;border-radius:99px;font-size:12px;background:#e8ebef}
.good{background:#d7f7e0;color:#0b5f2b}.bad{background:#ffe3e3;color:#8f1d1d}.warn{background:#fff1cc;color:#6b4e00}
.note{background:#fff1cc;border-radius:8px;padding:10px 14px;margin:0 0 16px}.error{background:#ffe3e3}
label{font-size:13px;color:#697386;display:block}.scroll{overflow-x:auto}a{color:#5147e5}
"""
GOOD = {"active", "succeeded", "paid", "won", "trialing", "complete"}
BAD = {"failed", "lost", "canceled", "unpaid", "void", "expired", "incomplete_expired"}


class Safe(str):
    """Text that is HTML already."""

    __slots__ = ()


def say(value: Any) -> Safe:
    return value if isinstance(value, Safe) else Safe(escape(str(value)))


def join(*parts: Any) -> Safe:
    return Safe("".join(say(part) for part in parts))


def money(amount: int | None, currency: str | None) -> str:
    sign = "-" if (amount or 0) < 0 else ""
    return f"{sign}{abs(amount or 0) / 100:,.2f} {(currency or 'usd').upper()}"


def day(moment: int | None) -> str:
    return datetime.fromtimestamp(moment, UTC).strftime("%d %b %Y %H:%M") if moment else "–"


def tag(status: str) -> Safe:
    kind = "good" if status in GOOD else "bad" if status in BAD else "warn"
    return Safe(f'<span class="tag {kind}">{escape(status)}</span>')


def button(action: str, text: str, identity: str = "", *fields: Safe, at: str = "", main: bool = False) -> Safe:
    hidden = Safe(f'<input type="hidden" name="id" value="{escape(identity)}">') if identity else Safe("")
    style = ' class="main"' if main else ""
    press = Safe(f'<button{style} name="action" value="{escape(action)}">{escape(text)}</button>')
    wide = ' class="wide"' if main else ""
    target = f' action="{escape(at)}"' if at else ""
    return join(Safe(f'<form method="post"{target}{wide}>'), hidden, *fields, press, Safe("</form>"))


def choose(name: str, options: dict[str, str], text: str) -> Safe:
    told = "".join(f'<option value="{escape(value)}">{escape(label)}</option>' for value, label in options.items())
    return Safe(
        f'<div><label for="{name}">{escape(text)}</label><select id="{name}" name="{name}">{told}</select></div>'
    )


def amount_field(left: int) -> Safe:
    return Safe(
        f'<input class="short" name="amount" inputmode="decimal" aria-label="Amount" placeholder="{left / 100:.2f}">'
    )


def table(heads: list[str], rows: list[list[Any]], empty: str) -> Safe:
    if not rows:
        return join(Safe('<p class="mute">'), empty, Safe("</p>"))
    head = "".join(f"<th>{escape(each)}</th>" for each in heads)
    body = "".join("<tr>" + "".join(f"<td>{say(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    return Safe(f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>')


def page(title: str, *parts: Any, narrow: bool = False) -> bytes:
    body = join(*parts)
    kind = ' class="narrow"' if narrow else ""
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1"><link rel="icon" href="data:,">'
        f"<title>{escape(title)}</title><style>{STYLE}</style></head><body><main{kind}>{body}</main></body></html>"
    ).encode()
