"""What is installed from npm is pinned, and the pins name no place to get it from."""

import json

from tests.node import FOLDER


def test_every_package_is_pinned_by_its_hash_and_by_no_address() -> None:
    text = (FOLDER / "package-lock.json").read_text("utf-8")
    assert "://" not in text
    packages = json.loads(text)["packages"]
    wanted = packages.pop("")["dependencies"]
    assert all(version[0].isdigit() for version in wanted.values())
    assert wanted == {name: packages[f"node_modules/{name}"]["version"] for name in wanted}
    for name, package in packages.items():
        assert package.get("inBundle") or package["integrity"].startswith("sha512-"), name
