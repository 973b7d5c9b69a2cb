/** The figures of this machine as they are now, and Mainstay's own. Templates over values. */

import { html, nothing } from "../vendor/lit/index.js";
import { table } from "../elements/table.js";
import { time } from "../elements/time.js";
import { count, format, parts } from "../shell/format.js";
import { duration } from "../shell/time.js";
import { usedOf } from "./signals.js";

/** @import { Unit } from "../shell/format.js" */
/** @import { Host, Status, Process, Filesystem } from "../shell/words.js" */

/**
 * @param {string} name
 * @param {number | undefined} value
 * @param {Unit} unit
 * @param {unknown} beside
 * @param {string} [id]
 */
function figure(name, value, unit, beside, id) {
  const [number, symbol] = parts(value, unit);
  return html`<div class="figure">
    <dt>${name}</dt>
    <dd><b data-figure=${id ?? nothing}>${number}</b><span class="unit">${symbol}</span></dd>
    <dd class="beside clip">${beside}</dd>
  </div>`;
}

/** The row of figures under the strip. @param {Host} host */
export function figures(host) {
  const { modes } = host.cpu;
  // Empty at the very first measurement: a share needs two.
  const busy = "idle" in modes ? 1 - (modes.idle ?? 0) : undefined;
  const memory = host.memory;
  const fullest = host.filesystems
    .filter((disk) => usedOf(disk) !== undefined && !disk.readOnly)
    .sort((a, b) => (usedOf(b) ?? 0) - (usedOf(a) ?? 0))[0];
  const busiest = [...host.disks].sort((a, b) => (b.busyFraction ?? 0) - (a.busyFraction ?? 0))[0];
  const sum = (/** @type {"receiveBytesPerSecond" | "transmitBytesPerSecond"} */ side) =>
    host.networks.filter((net) => net.interface !== "lo").reduce((total, net) => total + (net[side] ?? 0), 0);
  const pressure = host.pressure ?? {};
  return html`<dl class="figures panel">
    ${figure("CPU", busy, "fraction", html`user ${format((modes.user ?? 0) + (modes.nice ?? 0), "fraction")} · sys ${format(modes.system, "fraction")}`, "cpu")}
    ${figure(
      "Load",
      host.load?.[0],
      "short",
      html`${(host.load ?? [])
        .slice(1)
        .map((load) => format(load))
        .join(" · ")}
      (5, 15 min)`,
      "load",
    )}
    ${figure("Memory", memory ? 1 - memory.availableBytes / memory.totalBytes : undefined, "fraction", memory ? html`${format(memory.availableBytes, "bytes")} of ${format(memory.totalBytes, "bytes")} left` : "not readable", "memory")}
    ${figure("IO pressure", pressure.io?.some, "percent", html`CPU ${format(pressure.cpu?.some, "percent")} · mem ${format(pressure.memory?.some, "percent")}`, "pressure")}
    ${figure("Busiest disk", busiest?.busyFraction, "fraction", busiest ? html`${busiest.device} · ${format((busiest.readBytesPerSecond ?? 0) + (busiest.writeBytesPerSecond ?? 0), "bytes/s")}` : "no disk")}
    ${figure("Fullest disk", fullest ? usedOf(fullest) : undefined, "fraction", fullest ? html`${fullest.mountpoint} · ${format(fullest.availableBytes, "bytes")} left` : "no file system")}
    ${figure("Network in", sum("receiveBytesPerSecond"), "bytes/s", html`${format(sum("transmitBytesPerSecond"), "bytes/s")} out`)}
  </dl>`;
}

/** @param {Process[]} processes */
export const processTable = (processes) =>
  table({
    label: "Processes by CPU",
    rows: processes,
    rowKey: (row) => row.pid,
    columns: [
      {
        key: "name",
        label: "Process",
        class: "clip",
        value: (row) => row.name,
        cell: (row) =>
          html`<span title=${row.command}>${row.name} <span class="sub">${row.command}</span></span>`,
      },
      {
        key: "pid",
        label: "PID",
        number: true,
        class: "wide",
        value: (row) => row.pid,
        cell: (row) => row.pid,
      },
      { key: "user", label: "User", class: "wide", value: (row) => row.user },
      {
        key: "cpu",
        label: "CPU",
        number: true,
        value: (row) => row.cpuFraction,
        cell: (row) => format(row.cpuFraction, "fraction"),
      },
      {
        key: "memory",
        label: "Memory",
        number: true,
        value: (row) => row.residentBytes,
        cell: (row) => format(row.residentBytes, "bytes"),
      },
      {
        key: "threads",
        label: "Threads",
        number: true,
        class: "wide",
        value: (row) => row.threads,
        cell: (row) => row.threads,
      },
    ],
  });

/** @param {number} used */
const tone = (used) => (used >= 0.95 ? "bad" : used >= 0.85 ? "warn" : "");

/** @param {Filesystem[]} filesystems */
export const filesystemTable = (filesystems) =>
  table({
    label: "File systems",
    rows: filesystems,
    rowKey: (row) => row.mountpoint,
    columns: [
      {
        key: "mountpoint",
        label: "File system",
        class: "clip",
        value: (row) => row.mountpoint,
        cell: (row) =>
          html`<span title="${row.device}, ${row.fstype}"
            >${row.mountpoint}
            <span class="sub">${row.fstype}${row.readOnly ? ", read-only" : ""}</span></span
          >`,
      },
      {
        key: "used",
        label: "Used",
        value: (row) => usedOf(row),
        cell: (row) => {
          const used = usedOf(row) ?? 0;
          return html`<span
            class="meter ${row.readOnly ? "" : tone(used)}"
            role="meter"
            aria-label="used"
            aria-valuenow=${Math.round(used * 100)}
            aria-valuemin="0"
            aria-valuemax="100"
            ><i .style=${`width:${used * 100}%`}></i
          ></span>`;
        },
      },
      { key: "share", label: "", number: true, cell: (row) => format(usedOf(row), "fraction") },
      {
        key: "left",
        label: "Left",
        number: true,
        value: (row) => row.availableBytes,
        cell: (row) => format(row.availableBytes, "bytes"),
      },
    ],
  });

/** Mainstay's own figures. @param {Status} status @param {number | undefined} samplesPerSecond @param {number | undefined} cores */
export function own(status, samplesPerSecond, cores) {
  const slowest = [...status.collectors].sort((a, b) => b.durationSeconds - a.durationSeconds)[0];
  return html`<dl class="facts">
    <dt>Version</dt>
    <dd>${status.version}, up ${duration(status.uptimeSeconds * 1000)}</dd>
    <dt>Memory</dt>
    <dd>${format(status.process.residentBytes, "bytes")}</dd>
    <dt>CPU</dt>
    <dd>
      ${cores === undefined ? html`<span class="quiet">measuring</span>` : `${format(cores, "fraction")} of a core`}
    </dd>
    <dt>Series</dt>
    <dd>
      ${count(status.store.series)}${samplesPerSecond === undefined ? "" : `, ${format(samplesPerSecond, "per second")} samples`}
    </dd>
    <dt>Stored</dt>
    <dd>
      ${format(status.store.bytes + status.store.walBytes, "bytes")}, ${format(status.store.samples)}
      samples${status.store.oldest ? html`, from ${time(status.store.oldest)}` : nothing}
    </dd>
    <dt>Ledger</dt>
    <dd><a href="/audit">${count(status.ledger.head)} facts</a>, ${format(status.ledger.bytes, "bytes")}</dd>
    <dt>Collectors</dt>
    <dd>
      ${status.collectors.filter((one) => one.ok).length} of ${status.collectors.length}
      well${slowest ? html` <span class="quiet">· slowest ${slowest.name}, ${format(slowest.durationSeconds, "seconds")}</span>` : nothing}
    </dd>
    <dt>Data</dt>
    <dd><code>${status.dataDir}</code></dd>
  </dl>`;
}
