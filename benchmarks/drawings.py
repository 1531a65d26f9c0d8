"""Drawings of the emoji by other hands: to learn from, and to search with.

    npm pack @iconify-json/twemoji@1.2.5 @iconify-json/fluent-emoji{,-flat,-high-contrast}; unpack each into PACKS/NAME
    python -m benchmarks.drawings icons PACKS --to DRAWINGS
    contrastive-explorer data add emoji-drawings DRAWINGS --license "Twemoji, CC BY 4.0; Fluent Emoji by Microsoft, MIT"

    python -m benchmarks.drawings styles package/img/facebook/64 --to STYLES [--font FONT.woff2 ...]
    python -m benchmarks.vendor_search --checkpoint emoji-simclr STYLES/outline STYLES/thin ...

`icons` renders icon sets (Twemoji by Twitter, CC BY 4.0; Fluent Emoji by Microsoft, MIT), one folder each, with the ids of the
emoji as file names; training takes them with --drawings. `styles` draws one vendor's images anew, to measure with: black contours
around five flat colors (outline) or alone (thin), both at 72 % of the frame, four flat colors whose hues are turned (flat), and
the glyphs of a font without colors, such as @fontsource/noto-emoji (font). A model that learned from Twemoji is measured on the
styles of another vendor. `icons` needs resvg-py, --font fonttools and brotli.
"""

from __future__ import annotations

import argparse
import colorsys
import io
import json
import random
from collections.abc import Iterator, Sequence
from pathlib import Path

from PIL import Image, ImageChops, ImageDraw, ImageFilter, ImageFont

from cl_core.data.registry import load_dataset

SIDE = 64
SMALLER = 0.72  # of the frame, as in styles with wide margins
VARIATION = "FE0F"  # a code point that asks for the colored form; vendors use it differently
CLEAR = (255, 255, 255, 0)
# Icon sets that have no codes of their own take those of another one, whose icons have the same names.
CODES_OF = {"fluent-emoji": "fluent-emoji-flat"}


def plain_code(code: str) -> str:
    """A sequence of code points such as 2764-FE0F without the variation selector."""
    return "-".join(part for part in code.upper().split("-") if part != VARIATION)


def read_icons(pack: Path) -> Iterator[tuple[str, str]]:
    """The code and the SVG text of each icon of an unpacked package of @iconify-json."""
    icons = json.loads((pack / "package" / "icons.json").read_text(encoding="utf-8"))
    codes = json.loads((pack.parent / CODES_OF.get(pack.name, pack.name) / "package" / "chars.json").read_text(encoding="utf-8"))
    aliases, shared = icons.get("aliases", {}), {key: value for key, value in icons.items() if key != "icons"}
    for code, name in codes.items():
        while name in aliases:
            name = aliases[name]["parent"]
        if name in icons["icons"]:
            icon = {"left": 0, "top": 0, "width": 16, "height": 16} | shared | icons["icons"][name]
            left, top, width, height = (icon[key] for key in ("left", "top", "width", "height"))
            body = icon["body"].replace("currentColor", "#000")
            yield (
                plain_code(code),
                f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="{left} {top} {width} {height}">{body}</svg>',
            )


def render_icons(packs: Path, to: Path) -> None:
    """Render the icon sets in the folders of `packs` that show an emoji of the data set, on white."""
    from resvg_py import svg_to_bytes  # type: ignore[import-not-found,unused-ignore]

    ids = {plain_code(each): each for each in load_dataset("emoji").ids}
    for pack in sorted(folder for folder in packs.iterdir() if folder.is_dir()):
        folder, count = to / pack.name, 0
        folder.mkdir(parents=True, exist_ok=True)
        for code, svg in read_icons(pack):
            if code in ids:
                png = svg_to_bytes(svg_string=svg, width=SIDE, height=SIDE, background="#ffffff")
                (folder / f"{ids[code]}.png").write_bytes(bytes(png))
                count += 1
        print(f"{folder}: {count:,} images")


def smaller(image: Image.Image) -> Image.Image:
    """The image at `SMALLER` of the frame."""
    side = round(SIDE * SMALLER)
    framed = Image.new("RGBA", (SIDE, SIDE), CLEAR)
    framed.paste(image.resize((side, side), Image.Resampling.LANCZOS), ((SIDE - side) // 2,) * 2)
    return framed


def on_white(image: Image.Image) -> Image.Image:
    white = Image.new("RGB", image.size, "white")
    white.paste(image, (0, 0), image)
    return white


def shape(image: Image.Image) -> Image.Image:
    """Where the image is more opaque than not: 255, elsewhere 0."""
    return image.getchannel("A").point(lambda value: 255 if value > 127 else 0)


def contours(colors: Image.Image) -> Image.Image:
    """Where neighboring pixels differ: 255, elsewhere 0."""
    gradient = ImageChops.difference(colors.filter(ImageFilter.MaxFilter(3)), colors.filter(ImageFilter.MinFilter(3)))
    return gradient.convert("L").point(lambda value: 255 if value > 40 else 0)


def outline(image: Image.Image) -> Image.Image:
    """Five flat, lightened colors with black contours."""
    colors = on_white(image).quantize(5).convert("RGB")
    lines = contours(colors)
    drawn = colors.point(lambda value: 40 + int(value * 0.84))
    drawn.paste((0, 0, 0), (0, 0), lines)
    drawn.putalpha(ImageChops.lighter(shape(image), lines))
    return smaller(drawn)


def thin(image: Image.Image) -> Image.Image:
    """The contours alone."""
    drawn = Image.new("RGBA", image.size, (0, 0, 0, 0))
    drawn.putalpha(contours(on_white(image).quantize(5).convert("RGB")))
    return smaller(drawn)


def flat(image: Image.Image, seed: str) -> Image.Image:
    """Four flat colors, their hues turned by a random angle."""
    colors, turn = on_white(image).quantize(4), random.Random(seed).random()
    palette = colors.getpalette() or []
    turned: list[int] = []
    for start in range(0, 12, 3):
        hue, lightness, saturation = colorsys.rgb_to_hls(*(value / 255 for value in palette[start : start + 3]))
        turned += [round(255 * value) for value in colorsys.hls_to_rgb((hue + turn) % 1, lightness, saturation)]
    colors.putpalette(turned)
    drawn = colors.convert("RGBA")
    drawn.putalpha(shape(image))
    return drawn


def draw_styles(source: Path, fonts: Sequence[Path], to: Path) -> None:
    """Write the styles of the images in `source`, named by code, and the glyphs of the fonts."""
    files = sorted(source.glob("*.png"))
    for name in ("outline", "thin", "flat", *(["font"] if fonts else [])):
        (to / name).mkdir(parents=True, exist_ok=True)
    for file in files:
        image = Image.open(file).convert("RGBA").resize((SIDE, SIDE))
        outline(image).save(to / "outline" / file.name)
        thin(image).save(to / "thin" / file.name)
        flat(image, file.name).save(to / "flat" / file.name)
    for font in fonts:
        draw_glyphs(font, [file.stem for file in files], to / "font")


def draw_glyphs(font: Path, codes: Sequence[str], to: Path) -> None:
    """Draw those codes of a single code point that a font has, as large as the frame, in black."""
    from fontTools.ttLib import TTFont  # type: ignore[import-not-found,import-untyped,unused-ignore]

    opened = TTFont(font)
    opened.flavor, plain = None, io.BytesIO()
    opened.save(plain)
    plain.seek(0)
    known, usual = opened.getBestCmap(), ImageFont.truetype(plain, 56)
    for code in codes:
        points = plain_code(code).split("-")
        if len(points) == 1 and int(points[0], 16) in known:
            character, drawn = chr(int(points[0], 16)), Image.new("RGBA", (SIDE, SIDE), CLEAR)
            pen = ImageDraw.Draw(drawn)
            left, top, right, bottom = pen.textbbox((0, 0), character, font=usual)
            face = usual.font_variant(size=int(56 * min(1.0, 60 / max(1, right - left), 60 / max(1, bottom - top))))
            left, top, right, bottom = pen.textbbox((0, 0), character, font=face)
            pen.text(((SIDE - left - right) / 2, (SIDE - top - bottom) / 2), character, font=face, fill=(0, 0, 0, 255))
            drawn.save(to / f"{code}.png")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["icons", "styles"])
    parser.add_argument("source", type=Path, help="a folder of icon sets; or of one vendor's images, named by code")
    parser.add_argument("--to", type=Path, required=True)
    parser.add_argument("--font", type=Path, nargs="+", default=[])
    arguments = parser.parse_args()
    if arguments.what == "icons":
        render_icons(arguments.source, arguments.to)
    else:
        draw_styles(arguments.source, arguments.font, arguments.to)


if __name__ == "__main__":
    main()
