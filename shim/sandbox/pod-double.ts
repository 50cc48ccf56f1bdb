import { noLimits } from '../resources/limits.ts'
import type { PodDescription } from './pod.ts'

/** For tests that do not care. */
export const anyPod: PodDescription = { lifetime: 'containers', hostname: '', sysctls: {}, annotations: {}, netnsPath: '', cgroupsPath: '', limits: noLimits, etc: {}, idMappings: undefined }
