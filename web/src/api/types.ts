// SPDX-License-Identifier: MIT
// Shapes of the answers this page reads. Names follow the server's schemas, so that each can become an alias of the
// generated one (`components['schemas']['Device']`).
import type { MetricsAnswer } from '../core/chart';
import type { FleetColumns, FleetDelta } from '../core/fleet';
import type { Health } from '../core/health';
import type { MigProfile } from '../core/mig';

export type { FleetColumns, FleetDelta, MetricsAnswer };

export interface List<T> {
  items: T[];
  next: string | null;
}

export interface Overview {
  totalGpuDevices: number;
  activeAllocations: number;
  totalMigInstances: number;
  overallGpuUtilization: number | null;
  devicesByModel: Record<string, number>;
  /** Null before the first snapshot. */
  asOf: string | null;
  clusters: string[];
  nodes: { total: number; ready: number; degraded: number; stale: number; unknown: number };
  health: Record<Health, number>;
  memoryTotalMiB: number;
  memoryUsedMiB: number | null;
  powerWatts: number | null;
  costPerHour: number | null;
  currency: string;
  unpricedDevices: number;
  unmeasuredDevices: number;
  idleDevices: number;
  hotDevices: number;
  migEnabledDevices: number;
  utilization: { p10: number; p50: number; p90: number } | null;
  managementEnabled: boolean;
  profile: string[];
  open: boolean;
  simulated: boolean;
  targets: { total: number; up: number; down: number };
}

export type Quality = Record<string, string>;

export interface PodRef {
  namespace: string;
  pod: string;
  container: string | null;
}

export interface MigInstance {
  id: string;
  giId: number;
  ciId: number;
  uuid: string | null;
  profile: string;
  profileId: string;
  placementStart: number | null;
  placementSize: number | null;
  memoryTotalMiB: number | null;
  memoryUsedMiB: number | null;
  utilization: number | null;
  pods: PodRef[];
  quality: Quality;
}

export interface Device {
  deviceId: string;
  uuid: string;
  cluster: string;
  nodeName: string;
  gpuIndex: number;
  model: string;
  variant: string | null;
  productName: string | null;
  architecture: string | null;
  memoryTotalMiB: number | null;
  migCapable: boolean | null;
  migEnabled: boolean | null;
  managed: boolean;
  health: Health;
  healthReasons: string[];
  utilization: number | null;
  memoryUsedMiB: number | null;
  temperature: number | null;
  powerWatts: number | null;
  smClockMHz: number | null;
  pods: PodRef[];
  migInstances: MigInstance[];
  hourlyCost: number | null;
  currency: string;
  source: string;
  sampledAt: string | null;
  quality: Quality;
}

export interface DeviceDetail extends Device {
  energyJoules: number | null;
  memoryClockMHz: number | null;
  memoryTemperature: number | null;
  tensorActive: number | null;
  dramActive: number | null;
  grEngineActive: number | null;
  pcieTxBytesPerSecond: number | null;
  pcieRxBytesPerSecond: number | null;
  nvlinkBytesPerSecond: number | null;
  xid: number | null;
  eccSbe: number | null;
  eccDbe: number | null;
  throttleReasons: string[] | null;
  driverVersion: string | null;
  pciBusId: string | null;
  serial: string | null;
  firstSeen: string | null;
  migProfiles: MigProfile[];
  migPlacementUnits: number | null;
  nominalMemoryGb: number | null;
}

export interface ScrapeTarget {
  url: string;
  node: string | null;
  cluster: string;
  state: 'up' | 'down' | 'pending';
  source: string;
  error: string | null;
  since: string | null;
}

export interface Me {
  name: string;
  role: string;
  anonymous: boolean;
  profile: string[];
  open: boolean;
}
