// SPDX-License-Identifier: MIT
// The shapes this page reads are those the server's own document states: what it sends must fit what the page expects. Only
// types; nothing of it reaches the bundle. schema.d.ts is made by `npm run gen:api`.
import type { components } from './schema';
import type {
  Device,
  DeviceDetail,
  FleetColumns,
  FleetDelta,
  Me,
  MetricsAnswer,
  Overview,
  ScrapeTarget,
} from './types';

type Schemas = components['schemas'];
type Fits<Sent extends Expected, Expected> = Sent;

export type Contract = [
  Fits<Schemas['Overview'], Overview>,
  Fits<Schemas['Device'], Device>,
  Fits<Schemas['DeviceDetail'], DeviceDetail>,
  Fits<Schemas['Fleet'], FleetColumns>,
  Fits<Schemas['FleetUpdate'], FleetDelta>,
  Fits<Schemas['SeriesAnswer'], MetricsAnswer>,
  Fits<Schemas['Target'], ScrapeTarget>,
  Fits<Schemas['Me'], Me>,
];
