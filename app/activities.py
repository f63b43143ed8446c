"""What a process does to the library, as JSON and as a sentence. Pure."""

from dataclasses import asdict
from typing import Any

from indexer.counted import counted
from indexer.watching.activity import Activity

STATES = {"starting": "starting", "scanning": "looking for photos", "idle": "in step", "waiting": "waiting"}


def document(activity: Activity | None) -> dict[str, Any]:
    """An activity as plain values for JSON; state "none" where nobody works on the library."""
    if activity is None:
        return {"state": "none"}
    values = asdict(activity)
    del values["born"]
    values["errors"] = [{"path": path, "reason": reason} for path, reason in activity.errors]
    return values


def sentence(activity: Activity) -> str:
    """What is going on, in one line."""
    if activity.state != "indexing":
        parts = [activity.detail or STATES.get(activity.state, activity.state)]
        parts += (
            [f"{counted(activity.queue, 'change')} settling"] if activity.state == "idle" and activity.queue else []
        )
        return ", ".join(parts)
    parts = [f"indexing {activity.done:,} of {counted(activity.total, 'photo')}"]
    parts += [f"{activity.photos_per_s:.1f} photos/s"] if activity.photos_per_s else []
    parts += [f"{_duration(activity.remaining_s)} left"] if activity.remaining_s else []
    parts += [f"{activity.failed:,} failed"] if activity.failed else []
    return ", ".join(parts)


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02} min" if hours else f"{minutes} min {rest:02} s" if minutes else f"{rest} s"
