/** Installs the Debian packages that `podlab doctor` finds lacking. As root on Debian and its kin; elsewhere it only tells. */
import { $ } from 'zx';
import { doctor } from '../src/doctor/index.ts';

const lacking = (await doctor()).flatMap(({ mend }) => {
  const words = mend?.split(' ') ?? [];
  const at = words.indexOf('--no-install-recommends');
  return words.includes('apt-get') && at >= 0 ? words.slice(at + 1) : [];
});
const packages = [...new Set(lacking)];

if (packages.length === 0) console.log('No Debian package is lacking.');
else if (process.getuid?.() !== 0) {
  console.log(`sudo apt-get install -y --no-install-recommends ${packages.join(' ')}`);
  process.exitCode = 3;
} else {
  process.env['DEBIAN_FRONTEND'] = 'noninteractive';
  await $({ stdio: 'inherit' })`apt-get update -q`;
  await $({ stdio: 'inherit' })`apt-get install -y -q --no-install-recommends ${packages}`;
}
