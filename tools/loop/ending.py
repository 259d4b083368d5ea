"""What is left of the story: the recording in full, the report page, and where to look."""

import json
import os
from contextlib import suppress
from ipaddress import IPv6Address, ip_address
from pathlib import Path

from tools.loop import page
from tools.loop.project import ENVIRONMENT, ROOT
from tools.loop.recording import FILE_NAME
from tools.loop.scene import Scene

_JOBS = ("training", "inference", "monitoring", "retraining")


def record(scene: Scene) -> None:
    """Writes down what can be asked only while the servers run.

    Raises:
        StoryError: a request failed, or something listens beyond loopback.
    """
    recording = scene.recording
    record_requests(scene)
    scene.runs.record(recording, _JOBS)
    recording.put("ledger", [entry.model_dump(mode="json") for entry in scene.ledger()])
    listeners = scene.servers.listeners()
    beyond = [f"{host}:{port}" for host, port in listeners if not is_loopback(host)]
    recording.put(
        "listening",
        {
            "checked": bool(listeners),
            "processes": len(scene.servers.processes()),
            "ports": len(listeners),
            "beyond_loopback": beyond,
        },
    )
    recording.put("cpu_seconds", cpu_seconds(scene.servers.processes()))
    recording.put("links", [dict(each) for each in recording.parts.get("services", [])])
    recording.put("files", _files(scene))
    scene.require(not beyond, f"something listens beyond loopback: {', '.join(beyond)}")
    if scene.traffic is not None:
        scene.require_no_failed_request()


def record_requests(scene: Scene) -> None:
    """Writes every request so far down."""
    if scene.traffic is not None:
        requests = scene.traffic.document()
        scene.recording.put("requests", requests)
        headline = scene.recording.parts.setdefault("headline", {})
        headline |= {"requests": requests["total"], "failed_requests": requests["failed"]}


def write(scene: Scene, outcome: str) -> Path:
    """The recording, and the page made of it; the page's path."""
    scene.recording.end(outcome)
    written = scene.recording.write(scene.folder)
    return page.write(json.loads(written.read_text(encoding="utf-8")), scene.folder)


def summary(scene: Scene) -> str:
    """How it went, in two or three lines."""
    recording = scene.recording
    headline, listening = recording.parts.get("headline", {}), recording.parts.get("listening", {})
    lines = [f"{recording.outcome} after {recording.document()['seconds']:.0f} s"]
    if seconds := headline.get("drift_to_redeployed_seconds"):
        lines.append(
            f"drift report → redeployed model: {seconds:.0f} s;"
            f" {headline['failed_requests']} of {headline['requests']:,} requests failed"
        )
    if listening.get("checked"):
        lines.append(
            f"{listening['processes']} processes listened on {listening['ports']} ports of 127.0.0.1,"
            f" and on {len(listening['beyond_loopback'])} of any other address"
        )
    return "\n".join(lines)


def cpu_seconds(pids: list[int]) -> float:
    """Processor time of this process, of those, and of all that they waited for (proc_pid_stat(5))."""
    own = os.times()
    spent = own.user + own.system + own.children_user + own.children_system
    for pid in pids:
        with suppress(OSError):
            stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
            # utime, stime, cutime and cstime are fields 14 to 17, and the second may hold spaces.
            spent += sum(map(int, stat.rpartition(")")[2].split()[11:15])) / os.sysconf("SC_CLK_TCK")
    return round(spent, 1)


def is_loopback(host: str) -> bool:
    """Whether an address is reached from this machine alone."""
    address = ip_address(host)
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return (mapped or address).is_loopback


def shortened(path: Path) -> str:
    """A path as it is shown: relative to the checkout where it lies there."""
    return str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) else str(path)


def _files(scene: Scene) -> list[dict[str, str]]:
    """What there is to look at, relative to the run's folder."""
    reports = [
        {"title": f"drift report, {each['traffic']} trips, {each['window_id']}", "path": each["report"]}
        for each in scene.recording.parts.get("windows", [])
    ]
    notes = f"project/.mlops-config/{ENVIRONMENT}/notes.md"
    return [
        {"title": "everything this page is made of", "path": FILE_NAME},
        *reports,
        {"title": "release notes", "path": notes},
        {"title": "the project: repository, data, store and ledger", "path": "project"},
        {"title": "logs of all servers", "path": "logs"},
    ]
