/**
 * The words of the API as the console reads them. Types only; the shapes are those of /openapi.json.
 *
 * @typedef {{ kind: string, name: string, role?: string }} Actor
 * @typedef {{ message: string, at?: { file?: string, line?: number, column?: number }, hint?: string }} Problem
 *
 * @typedef {object} Fact
 * @property {number} seq
 * @property {string} time RFC 3339, UTC
 * @property {Actor} actor
 * @property {string} reason
 * @property {string} [change]
 * @property {string} chapter
 * @property {string} kind
 * @property {number} version
 * @property {string} subject
 * @property {Record<string, unknown>} payload
 * @property {string} previous
 * @property {string} hash
 */

/**
 * @template T
 * @typedef {{ items: T[], nextPage?: string, total?: number }} Page
 */

/**
 * @typedef {object} Host
 * @property {string} time
 * @property {string} hostname
 * @property {string} os
 * @property {string} kernel
 * @property {number} cpus
 * @property {string} [bootTime]
 * @property {number[]} [load] over 1, 5 and 15 minutes
 * @property {{ modes: Record<string, number> }} cpu fractions of all cores; empty at the first collection
 * @property {Record<string, { some?: number, full?: number }>} [pressure] percent over 10 s
 * @property {{ totalBytes: number, availableBytes: number, swapTotalBytes?: number, swapFreeBytes?: number }} [memory]
 * @property {Filesystem[]} filesystems
 * @property {Disk[]} disks
 * @property {Network[]} networks
 * @property {Process[]} processes
 *
 * @typedef {{ device: string, mountpoint: string, fstype: string, sizeBytes?: number, availableBytes?: number, readOnly: boolean }} Filesystem
 * @typedef {{ device: string, readBytesPerSecond?: number, writeBytesPerSecond?: number, busyFraction?: number, readLatencySeconds?: number, writeLatencySeconds?: number }} Disk
 * @typedef {{ interface: string, receiveBytesPerSecond?: number, transmitBytesPerSecond?: number, errorsPerSecond?: number, up: boolean }} Network
 * @typedef {{ pid: number, name: string, command: string, user: string, cpuFraction: number, residentBytes: number, threads: number, state: string }} Process
 */

/**
 * @typedef {object} Status
 * @property {string} version
 * @property {string} started
 * @property {number} uptimeSeconds
 * @property {string} hostname
 * @property {string} dataDir
 * @property {string[]} listen
 * @property {{ head: number, bytes: number, dead: number }} ledger
 * @property {{ series: number, samples: number, blocks: number, bytes: number, walBytes: number, oldest?: string, newest?: string, memoryBytes: number }} store
 * @property {{ name: string, durationSeconds: number, ok: boolean, error?: string }[]} collectors
 * @property {{ residentBytes: number, cpuSeconds: number, openFiles: number }} process
 * @property {{ dir?: string, drift: { key: string, what: string }[], lastApplied?: string, error?: string }} resources
 */

/**
 * @typedef {object} Flag
 * @property {string} key
 * @property {string} flagSet
 * @property {"ENABLED" | "DISABLED"} state
 * @property {"boolean" | "string" | "number" | "object"} kind
 * @property {string} [defaultVariant]
 * @property {Record<string, unknown>} variants
 * @property {{ summary: string, kind: string }} rollout
 * @property {string} [owner]
 * @property {string} [expires]
 * @property {string} [description]
 * @property {string[]} [environments]
 * @property {string} created
 * @property {string} changed
 * @property {Actor | string} [changedBy]
 * @property {number} evaluations24h
 * @property {string} [lastEvaluated]
 * @property {string[]} debt
 * @property {string[]} [differsIn]
 *
 * @typedef {Flag & { resource: Resource, counts: Record<string, number>, references: { prerequisites: string[], requiredBy: string[] } }} FlagDetail
 * @typedef {{ key: string, owner?: string, reasons: { code: string, text: string }[] }} Debt
 * @typedef {{ key: string, value: unknown, variant?: string, reason: string, errorCode?: string, errorDetails?: string, metadata?: Record<string, unknown> }} Evaluation
 */

/**
 * @typedef {object} Resource
 * @property {string} apiVersion
 * @property {string} kind
 * @property {{ name: string, labels?: Record<string, string>, annotations?: Record<string, string>, version?: number }} metadata
 * @property {Record<string, any>} spec
 * @property {{ changed?: string, changedBy?: Actor | string, seq?: number, changeId?: string, managedBy?: string }} [status]
 *
 * @typedef {{ seq: number, time: string, actor: Actor | string, reason: string, changeId?: string, kind: string, version?: number, diff?: string }} Revision
 * @typedef {{ changeId?: string, dryRun: boolean, results: { key: string, outcome: string, version?: number, diff?: string }[] }} Applied
 * @typedef {{ kind: string, chapter: string, plural: string, description: string }} Kind
 */

/**
 * @typedef {{ id: string, name: string, role: string, created: string, createdBy?: Actor | string, expires?: string, lastUsed?: string }} Token
 * @typedef {{ name: string, role: string, disabled: boolean, hasPassword: boolean, created: string }} User
 * @typedef {{ id: string, user: string, by: unknown, opened: string, lastUsed: string, expires: string }} Session
 * @typedef {{ actor: Actor, expires?: string }} SignedIn
 */

/**
 * @typedef {Record<string, string>} Labels
 * @typedef {{ labels: Labels, values: (number | null)[] }} Series values stand beside the times they were asked for
 * @typedef {{ evalSeconds?: number, samples?: number, seconds: number, warnings: string[] }} Cost
 */

export {};
