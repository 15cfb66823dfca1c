import js from '@eslint/js';
import tseslint from 'typescript-eslint';
import { relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { doors } from './eslint.doors.mjs';

const root = fileURLToPath(new URL('.', import.meta.url));

export default tseslint.config(
  { ignores: ['node_modules/', 'dist/', 'evidence/', '.cache/'] },
  js.configs.recommended,
  ...tseslint.configs.recommended,
  {
    files: ['**/*.ts', '**/*.mjs'],
    plugins: { podlab: { rules: { doors: doors((file) => relative(root, file)) } } },
    rules: {
      'podlab/doors': 'error',
      // Kubernetes objects are open JSON; what we read of them is narrowed where it is read.
      '@typescript-eslint/no-explicit-any': 'off',
      '@typescript-eslint/no-unused-vars': [
        'error',
        { argsIgnorePattern: '^_', varsIgnorePattern: '^_', caughtErrorsIgnorePattern: '^_' },
      ],
      '@typescript-eslint/consistent-type-imports': ['error', { fixStyle: 'inline-type-imports' }],
      // The compiler knows Node's globals.
      'no-undef': 'off',
      eqeqeq: 'error',
      'max-lines': ['error', { max: 400, skipBlankLines: false, skipComments: false }],
    },
  },
);
