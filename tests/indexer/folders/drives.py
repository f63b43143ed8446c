"""Drives that are plugged in where `bay` has its place for them (conftest.py)."""

DRIVES = {"first": range(20, 26), "second": (30, 31), "third": range(40, 49)}


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


def turn(world, place, old, new):
    """Another drive in the place of one; what was never there is made."""
    folder = world.photos / place
    folder.rename(world.photos.with_name(old))
    if world.photos.with_name(new).exists():
        world.photos.with_name(new).rename(folder)
    else:
        on_drive(world, *DRIVES[new], name=place)


def ids(world):
    return {path: photo.id for path, photo in known(world).items()}
