import { defineConfig } from 'vitest/config';

/** Suites besides `unit` ask real things: a cluster, the kernel. Each is a folder of test/. */
const REAL = ['engine', 'embedded', 'offline', 'kind', 'claims'] as const;

export default defineConfig({
  test: {
    // A loaded machine is slow: time limits here catch hangs and prove nothing about speed.
    testTimeout: 60_000,
    hookTimeout: 120_000,
    maxWorkers: 2,
    projects: [
      { extends: true, test: { name: 'unit', include: ['test/unit/**/*.test.ts'] } },
      ...REAL.map((name) => ({
        extends: true as const,
        test: {
          name,
          include: [`test/${name}/**/*.test.ts`],
          fileParallelism: false,
          testTimeout: 600_000,
          hookTimeout: 600_000,
        },
      })),
    ],
  },
});
