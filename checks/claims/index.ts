/** Every claim that has an experiment, in the ledger's order. */
import type { Claim } from '../experiment.ts';
import c11 from './1.1.ts';
import c14 from './1.4.ts';
import c26d from './2.6d.ts';
import c26e from './2.6e.ts';
import c26f from './2.6f.ts';
import c27a from './2.7a.ts';
import c27b from './2.7b.ts';
import c27c from './2.7c.ts';
import c27d from './2.7d.ts';
import c28a from './2.8a.ts';
import c28b from './2.8b.ts';
import c28c from './2.8c.ts';
import c31a from './3.1a.ts';
import c31b from './3.1b.ts';
import c31c from './3.1c.ts';
import c31d from './3.1d.ts';
import c31e from './3.1e.ts';
import c41a from './4.1a.ts';
import c41b from './4.1b.ts';
import c41c from './4.1c.ts';
import c41d from './4.1d.ts';
import c41e from './4.1e.ts';
import c42a from './4.2a.ts';
import c42b from './4.2b.ts';
import c42c from './4.2c.ts';
import c43a from './4.3a.ts';
import c43b from './4.3b.ts';
import c43c from './4.3c.ts';
import c43d from './4.3d.ts';
import c51a from './5.1a.ts';
import c62e from './6.2e.ts';
import c62g from './6.2g.ts';
import c62h from './6.2h.ts';

export const CLAIMS: readonly Claim[] = [
  c11,
  c14,
  c26d,
  c26e,
  c26f,
  c27a,
  c27b,
  c27c,
  c27d,
  c28a,
  c28b,
  c28c,
  c31a,
  c31b,
  c31c,
  c31d,
  c31e,
  c41a,
  c41b,
  c41c,
  c41d,
  c41e,
  c42a,
  c42b,
  c42c,
  c43a,
  c43b,
  c43c,
  c43d,
  c51a,
  c62e,
  c62g,
  c62h,
];
