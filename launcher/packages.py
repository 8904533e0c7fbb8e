"""What must be installed: Debian packages, an unpacked Odoo 19.0, and one Python environment per deployment."""

import hashlib
import os
import re
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from launcher.config import ADDONS, CHECKOUT, REQUIREMENTS, Home
from launcher.console import LauncherError, say, step
from launcher.shell import output_of, run

RUNTIME_PACKAGES = (
    "ca-certificates",
    "debian-archive-keyring",
    "fonts-dejavu-core",
    "fonts-font-awesome",
    "fonts-inconsolata",
    "fonts-roboto-unhinted",
    "libjs-jquery",
    "libjs-jquery-form",
    "libjs-underscore",
    "libmagic1",
    "libp11-kit0",
    "openssl",
    "p11-kit",
    "postgresql",
    "python3-venv",
    "softhsm2",
    "wkhtmltopdf",
)
SANDBOX_PACKAGES = ("ca-certificates", "python3-venv")
TEST_PACKAGES = ("chromium", "libatomic1", "libfaketime", "libnss3", "poppler-utils", "strace")


def install_runtime(home: Home) -> None:
    """Everything that `demo` and `serve` need."""
    _install_debian_packages(home, RUNTIME_PACKAGES)
    for name in ("odoo", "signer", "sandbox"):
        sync_environment(home, name)
    odoo_path(home)


def install_sandbox(home: Home) -> None:
    """What `sandbox` needs: neither Odoo nor PostgreSQL."""
    _install_debian_packages(home, SANDBOX_PACKAGES)
    sync_environment(home, "sandbox")


def install_test_tools(home: Home) -> None:
    """What `test`, `lint`, `bench` and `chaos` need on top of the runtime."""
    _install_debian_packages(home, TEST_PACKAGES)
    for name in ("tests", "lint"):
        sync_environment(home, name)


# --- Debian packages -------------------------------------------------------------------------------------------------


def _install_debian_packages(home: Home, names: Sequence[str]) -> None:
    missing = [name for name in names if not _is_installed(name)]
    if not missing:
        return
    if not shutil.which("apt-get"):
        raise LauncherError(
            "This machine has no apt-get.", f"Install by hand what the launcher needs: {' '.join(missing)}"
        )
    say(f"  Debian packages: {' '.join(missing)}")
    with step(f"Installing {len(missing)} Debian packages"):
        if "postgresql" in missing:
            _forbid_default_cluster(home)
        environment = {"DEBIAN_FRONTEND": "noninteractive"}
        run([*_as_root(), "apt-get", "update"], home.install_log, env=environment)
        run(
            [*_as_root(), "apt-get", "install", "--yes", "--no-install-recommends", *missing],
            home.install_log,
            env=environment,
        )


def _is_installed(package: str) -> bool:
    return "install ok installed" in output_of(["dpkg-query", "-W", "-f=${Status}", package])


def _as_root() -> list[str]:
    if os.geteuid() == 0:
        return []
    if shutil.which("sudo"):
        return ["sudo"]
    raise LauncherError("Debian packages are missing.", "Run this once as root, or install sudo.")


def _forbid_default_cluster(home: Home) -> None:
    """Keep Debian's `postgresql` from starting a cluster of its own on port 5432: ours is private."""
    folder = Path("/etc/postgresql-common/createcluster.d")
    setting = folder / "bonopay.conf"
    if setting.exists():
        return
    run([*_as_root(), "mkdir", "-p", folder], home.install_log)
    run([*_as_root(), "tee", setting], home.install_log, stdin="create_main_cluster = false\n")


# --- Python environments ---------------------------------------------------------------------------------------------

LOCKS: dict[str, tuple[Path, ...]] = {
    "odoo": (REQUIREMENTS / "odoo.lock", REQUIREMENTS / "odoo-tests.lock"),
    "signer": (CHECKOUT / "signer_service/requirements.lock", CHECKOUT / "signer_service/requirements-test.lock"),
    "sandbox": (CHECKOUT / "dgi_sandbox/requirements.lock", CHECKOUT / "dgi_sandbox/requirements-test.lock"),
    "tests": (REQUIREMENTS / "tests.lock",),
    "lint": (REQUIREMENTS / "lint.lock",),
}


def sync_environment(home: Home, name: str) -> None:
    """Bring the environment `name` to exactly its locks; no work when these did not change."""
    locks = LOCKS[name]
    digest = hashlib.sha256(b"".join(lock.read_bytes() for lock in locks) + sys.version.encode()).hexdigest()
    stamp = home.venv(name) / ".lock-digest"
    if stamp.exists() and stamp.read_text() == digest:
        return
    with step(f"Python packages for {name}"):
        uv = _uv(home)
        run([uv, "venv", "--clear", "--python", sys.executable, home.venv(name)], home.install_log)
        arguments = [argument for lock in locks for argument in ("--requirements", str(lock))]
        run(
            [uv, "pip", "install", "--require-hashes", "--python", home.python(name), *arguments],
            home.install_log,
            way_out="Are Python packages reachable from here? The full log is " + str(home.install_log),
        )
    stamp.write_text(digest)


def _uv(home: Home) -> Path:
    uv = home.venv("launcher") / "bin" / "uv"
    if not uv.exists():
        run([sys.executable, "-m", "venv", home.venv("launcher")], home.install_log)
        lock = REQUIREMENTS / "launcher.lock"
        run(
            [home.python("launcher"), "-m", "pip", "install", "--quiet", "--require-hashes", "-r", lock],
            home.install_log,
        )
    return uv


def lock(home: Home) -> None:
    """Resolve every lock anew from its input (a maintainer's command)."""
    uv = _uv(home)
    inputs = [path for names in LOCKS.values() for path in names] + [REQUIREMENTS / "launcher.lock"]
    for target in inputs:
        with step(f"Resolving {target.relative_to(CHECKOUT)}"):
            _compile(uv, target, home.install_log)


def _compile(uv: Path, target: Path, log: Path) -> None:
    """Resolve one lock: from the `.in` file beside it, or from a service's pyproject.toml (and its test group)."""
    source, group = target.with_suffix(".in"), []
    if not source.exists():
        source = target.with_name("pyproject.toml")
        group = ["--group", "test"] if target.stem.endswith("-test") else []
    base = target.with_name(re.sub("-tests?", "", target.name))
    constraint = ["--constraint", str(base)] if base != target and base.exists() else []
    options = ["--universal", "--python-version", "3.11", "--generate-hashes", "--no-header", "--no-emit-index-url"]
    command = [uv, "pip", "compile", "--upgrade", "--quiet", "--no-annotate", "--no-emit-find-links", *options]
    run([*command, *constraint, *group, "--output-file", target, source], log, cwd=source.parent)


# --- Odoo ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class OdooSource:
    """Where Odoo's code lies.

    `path` is the folder to put on PYTHONPATH; `addons` are the folders for `--addons-path`; `version` identifies the
    build, as far as it is known.
    """

    path: Path
    addons: tuple[Path, ...]
    version: str


def odoo_path(home: Home) -> OdooSource:
    """The Odoo to run: `ODOO_PATH` where set, otherwise Debian's package, unpacked into the launcher's folder."""
    given = os.environ.get("ODOO_PATH")
    if given:
        return _given_odoo(Path(given))
    target = home.root / "odoo"
    version = target / "VERSION"
    if not version.exists():
        _unpack_odoo(home, target)
    path = target / "usr/lib/python3/dist-packages"
    # Odoo puts its own odoo/addons first by itself; the package's top-level addons folder is a duplicate.
    return OdooSource(path, (ADDONS,), version.read_text().strip())


def _given_odoo(path: Path) -> OdooSource:
    release = path / "odoo" / "release.py"
    if not release.exists() or "(19, 0" not in release.read_text():
        raise LauncherError(
            f"ODOO_PATH={path} is not an Odoo 19.0.", "Point it at a folder that holds odoo/release.py of version 19.0."
        )
    addons = (path / "addons",) if (path / "addons").is_dir() else ()
    return OdooSource(path, (*addons, ADDONS), f"given:{path}:{release.stat().st_mtime_ns}")


def _unpack_odoo(home: Home, target: Path) -> None:
    apt = home.root / "apt"
    for folder in ("lists/partial", "archives/partial"):
        (apt / folder).mkdir(parents=True, exist_ok=True)
    with step("Odoo 19.0 Community (123 MB, Debian's package, signature checked by apt)"):
        sources = apt / "sources.list"
        keyring = "/usr/share/keyrings/debian-archive-keyring.gpg"
        sources.write_text(f"deb [signed-by={keyring}] {_debian_mirror()} unstable main\n")
        options = _private_apt(apt, sources)
        run(["apt-get", *options, "update"], home.install_log, way_out="Or set ODOO_PATH to an Odoo 19.0 of yours.")
        version = _newest_odoo(options)
        run(["apt-get", *options, "download", f"odoo-19={version}"], home.install_log, cwd=apt)
        package = next(apt.glob("odoo-19_*.deb"))
        staging = target.with_name("odoo.unpacking")
        shutil.rmtree(staging, ignore_errors=True)
        run(["dpkg", "-x", package, staging], home.install_log)
        _link_shared_files(staging)
        (staging / "VERSION").write_text(f"{version}\n")
        staging.rename(target)
        shutil.rmtree(apt)


def _private_apt(apt: Path, sources: Path) -> list[str]:
    """Options that keep apt away from the system's suites, lists and archives."""
    settings = {
        "Dir::Etc::sourcelist": sources,
        "Dir::Etc::sourceparts": "-",
        "Dir::State::lists": apt / "lists",
        "Dir::Cache": apt,
        "Dir::Cache::archives": apt / "archives",
        "APT::Get::List-Cleanup": "0",
        # apt's download user cannot write into our folder; signatures are checked all the same.
        "APT::Sandbox::User": "root" if os.geteuid() == 0 else "",
    }
    return [part for key, value in settings.items() for part in ("-o", f"{key}={value}")]


def _newest_odoo(options: list[str]) -> str:
    rows = output_of(["apt-cache", *options, "madison", "odoo-19"]).splitlines()
    versions = [row.split("|")[1].strip() for row in rows]
    newest = next((version for version in versions if version.startswith("19.0")), None)
    if newest is None:
        raise LauncherError("The unstable suite offers no Odoo 19.0.", "Set ODOO_PATH to an Odoo 19.0 of yours.")
    return newest


def _debian_mirror() -> str:
    """The mirror that this machine's own sources name, so that none is written down here."""
    if given := os.environ.get("BONOPAY_DEBIAN_MIRROR"):
        return given
    rows = output_of(["apt-get", "indextargets", "--no-release-info", "--format", "$(REPO_URI) $(RELEASE)"])
    for row in rows.splitlines():
        uri, _, release = row.partition(" ")
        if release in ("bookworm", "trixie", "stable", "unstable") and "security" not in uri:
            return uri
    raise LauncherError(
        "No Debian mirror in this machine's apt sources.",
        "Set BONOPAY_DEBIAN_MIRROR to one, or ODOO_PATH to an Odoo 19.0 of yours.",
    )


def _link_shared_files(root: Path) -> None:
    """Fonts and JavaScript libraries are relative links into usr/share: lead these to the system's."""
    for name in ("fonts", "fonts-font-awesome", "javascript"):
        link = root / "usr/share" / name
        if not link.exists():
            link.symlink_to(Path("/usr/share") / name)


def etcd(home: Home) -> Path | None:
    """The peer of `bench seal`: the system's, or Debian's package unpacked into the launcher's folder, since installing
    it would start a server. None where neither is to be had; the reason is said."""
    installed = shutil.which("etcd")
    if installed:
        return Path(installed)
    target = home.root / "etcd"
    program = target / "usr/bin/etcd"
    if not program.exists():
        try:
            _unpack_etcd(home, target)
        except LauncherError as error:
            say(f"  No etcd to compare with: {error}")
            return None
    return program


def _unpack_etcd(home: Home, target: Path) -> None:
    packages = home.root / "apt-etcd"
    packages.mkdir(parents=True, exist_ok=True)
    with step("etcd (9 MB, Debian's package, signature checked by apt)"):
        run([*_as_root(), "apt-get", "update"], home.install_log)
        run(["apt-get", "download", "etcd-server"], home.install_log, cwd=packages)
        run(["dpkg", "-x", next(packages.glob("etcd-server_*.deb")), target], home.install_log)
        shutil.rmtree(packages)


def chromium() -> str:
    path = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if not path:
        raise LauncherError("No Chromium on this machine.", "apt-get install chromium")
    return path
