"""Drives that are plugged in where `bay` has its place for them (conftest.py)."""


def unplug(world, name):
    (world.photos / "usb").rename(world.photos.with_name(name))


def plug(world, name):
    world.photos.with_name(name).rename(world.photos / "usb")


def on_drive(world, *seeds, name="usb"):
    for seed in seeds:
        world.write(f"{name}/{seed}.png".lstrip("/"), seed)


def known(world):
    catalog = world.library.catalog
    (root,) = catalog.root_paths()
    return catalog.known(root.id, model_id=world.active.id)
