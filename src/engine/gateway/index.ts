/** Gateway API for the engine: controller `podlab.dev/gateway-controller`, HTTPRoute, data plane nginx. */
export { GatewayController, type GatewayInit } from './controller.ts';
