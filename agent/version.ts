/** Told to the shim in CreateSandbox. */
export const agentVersion = '0.1.0'
