// SPDX-License-Identifier: MIT
export const CHROMIUM: { executablePath: string; args: string[] };
