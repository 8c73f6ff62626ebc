"""Draws docs/images/quintet.svg: what the program declares for one environment, and what leads to what.

Nothing is drawn by hand: the boxes are resources of the recorded program, an arrow is a dependency between two of them,
direct or through resources that have no box of their own. `tools/picture.py --check` fails when the drawing is stale.
"""

import sys
from collections.abc import Iterable
from dataclasses import dataclass
from html import escape
from pathlib import Path

from quintet.sandbox.engine import Recording, Resource, record

ROOT = Path(__file__).resolve().parent.parent
PICTURE = ROOT / "docs" / "images" / "quintet.svg"
STACK = "prod"  # has every service

# Type token -> column and caption. A type that is not here has no box; arrows pass through it.
SHOWN = {
    "aws:apigatewayv2/api:Api": (1, "HTTP API"),
    "aws:lb/loadBalancer:LoadBalancer": (2, "load balancer, internal"),
    "aws:lambda/function:Function": (2, "Lambda, container"),
    "kubernetes:apps/v1:Deployment": (2, "pods on Kubernetes"),
    "docker-build:index:Image": (3, "ECR image"),
    "aws:s3/bucket:Bucket": (3, "S3 bucket"),
    "aws:dynamodb/table:Table": (3, "DynamoDB table"),
    "aws:kms/key:Key": (3, "KMS key"),
    "aws:cloudwatch/metricAlarm:MetricAlarm": (4, "CloudWatch alarms"),
    "aws:sns/topic:Topic": (5, "SNS topic"),
    "aws:cloudwatch/dashboard:Dashboard": (4, "Dashboard"),
}
JOINTS = {"aws:apigatewayv2/integration:Integration"}
COLUMNS = ("caller", "edge", "compute", "holds", "watches", "tells")
WIDTH, HEIGHT, GAP_X, GAP_Y, TOP = 192, 44, 36, 12, 46


@dataclass(frozen=True, kw_only=True)
class Box:
    """One rectangle: the resources it stands for, where it is (pixels), what it says."""

    urns: frozenset[str]
    column: int
    row: int
    title: str
    caption: str

    @property
    def x(self) -> int:
        """Left edge, pixels."""
        return 12 + self.column * (WIDTH + GAP_X)

    @property
    def y(self) -> int:
        """Upper edge, pixels."""
        return TOP + self.row * (HEIGHT + GAP_Y)


def boxes(recording: Recording) -> list[Box]:
    """Boxes column by column; the alarms of a service share one."""
    found: dict[tuple[int, str, str], list[Resource]] = {}
    for resource in recording.resources:
        if resource.type in SHOWN:
            column, caption = SHOWN[resource.type]
            title = resource.name.split("-")[0] if "alarms" in caption else resource.name.removesuffix("-deployment")
            found.setdefault((column, caption, title), []).append(resource)
    rows = dict.fromkeys(range(len(COLUMNS)), 0)
    drawn = [Box(urns=frozenset(), column=0, row=0, title="your client", caption="HTTPS")]
    for (column, caption, title), members in sorted(found.items(), key=lambda item: item[0][0]):
        count = f"{len(members)} " if len(members) > 1 else ""
        urns = frozenset(member.urn for member in members)
        drawn.append(Box(urns=urns, column=column, row=rows[column], title=title, caption=count + caption))
        rows[column] += 1
    return drawn


def arrows(recording: Recording, drawn: Iterable[Box]) -> set[tuple[Box, Box]]:
    """Pairs of boxes of which the first calls, reads or tells the second; they lead from left to right.

    A resource that has no box and needs two boxes joins them, as an integration does with its API and its function.
    """
    box_of = {urn: box for box in drawn for urn in box.urns}
    needs = {resource.urn: set(resource.dependencies) for resource in recording.resources}

    def reached(urn: str) -> set[Box]:
        seen, waiting, found = set[str](), list(needs[urn]), set[Box]()
        while waiting:
            other = waiting.pop()
            if other in box_of:
                found.add(box_of[other])
            elif other not in seen:
                seen.add(other)
                waiting.extend(needs.get(other, ()))
        return found

    joined = [
        {box_of[urn]} | reached(urn) if urn in box_of else reached(urn)
        for urn, type_ in ((resource.urn, resource.type) for resource in recording.resources)
        if type_ in SHOWN or type_ in JOINTS
    ]
    return {(a, b) for boxes_ in joined for a in boxes_ for b in boxes_ if b.column == a.column + 1}


def svg(drawn: list[Box], lines: set[tuple[Box, Box]]) -> str:
    """The picture as text; it follows the reader's light or dark theme."""
    width = max(box.x for box in drawn) + WIDTH + 12
    height = max(box.y for box in drawn) + HEIGHT + 16
    client = next(box for box in drawn if box.column == 0)
    lines = lines | {(client, box) for box in drawn if box.column == 1}
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img">',
            f"<title>What `pulumi up -s {STACK}` makes</title>",
            STYLE,
            *(f'<text class="h" x="{12 + i * (WIDTH + GAP_X)}" y="28">{word}</text>' for i, word in enumerate(COLUMNS)),
            *sorted(line(start, end) for start, end in lines),
            *(rectangle(box) for box in drawn),
            "</svg>\n",
        ]
    )


STYLE = """<style>
:root { color-scheme: light dark; }
svg { font: 13px system-ui, sans-serif; }
rect { fill: #f6f8fa; stroke: #57606a; }
text { fill: #1f2328; }
.c, .h { fill: #57606a; font-size: 11px; }
path { fill: none; stroke: #8c959f; stroke-width: 1.2; marker-end: url(#a); }
marker path { fill: #8c959f; stroke: none; }
@media (prefers-color-scheme: dark) {
  rect { fill: #161b22; stroke: #8b949e; }
  text { fill: #e6edf3; }
  .c, .h { fill: #9198a1; }
}
</style>
<defs><marker id="a" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">\
<path d="M0 0L8 4L0 8z"/></marker></defs>"""


def rectangle(box: Box) -> str:
    """One box with its two lines of text."""
    return (
        f'<rect x="{box.x}" y="{box.y}" width="{WIDTH}" height="{HEIGHT}" rx="6"/>'
        f'<text x="{box.x + 10}" y="{box.y + 19}">{escape(box.title)}</text>'
        f'<text class="c" x="{box.x + 10}" y="{box.y + 35}">{escape(box.caption)}</text>'
    )


def line(start: Box, end: Box) -> str:
    """A curve from the right of one box to the left of another."""
    x1, x2 = start.x + WIDTH, end.x
    y1, y2 = start.y + HEIGHT // 2, end.y + HEIGHT // 2
    middle = (x1 + x2) // 2
    return f'<path d="M{x1} {y1}C{middle} {y1} {middle} {y2} {x2} {y2}"/>'


def draw(recording: Recording) -> str:
    """The whole picture of one recorded program."""
    drawn = boxes(recording)
    return svg(drawn, arrows(recording, drawn))


def main(arguments: list[str]) -> int:
    """Writes the picture, or with `--check` says whether the one on disk is the one of today's program."""
    picture = draw(record(STACK))
    if "--check" in arguments:
        fresh = PICTURE.exists() and PICTURE.read_text() == picture
        sys.stdout.write("" if fresh else f"{PICTURE.relative_to(ROOT)} is stale: run make picture\n")
        return 0 if fresh else 1
    PICTURE.parent.mkdir(parents=True, exist_ok=True)
    PICTURE.write_text(picture)
    sys.stdout.write(f"drawn: {PICTURE.relative_to(ROOT)}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
