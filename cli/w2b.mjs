#!/usr/bin/env node
// Runs the TypeScript sources as they are: no build step stands between a change and its effect.
import { register } from 'tsx/esm/api';

// The functions run on Lambda's own Node; what the SDK says of this machine's is no news to its user.
process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED = 'true';
// A reader that has seen enough, such as `head`, is no error.
process.stdout.on('error', (error) => {
  if (error.code !== 'EPIPE') throw error;
});

register();
const { main } = await import('./main.ts');
process.exitCode = await main(process.argv);
// All is closed by now; what is not must not keep the user waiting.
setTimeout(() => process.exit(), 2000).unref();
