import { contained, escaped, type Attack } from '../../attack.ts'
import { install } from '../../programs.ts'

/** Keyrings belong to a user id of the kernel, whatever the container: two pods with the same runAsUser share them. */
export const attack: Attack = {
  id: 'keyring',
  title: 'a key of another pod\'s with the same user id, by the user\'s keyring',
  family: 'container',
  leak: 'Kerberos tickets, disk and application keys of other pods',
  bound: 'container',
  control: { weak: 'runc without a seccomp profile' },
  async run(site) {
    const uid = 600000 + Math.floor(Math.random() * 100000)
    const options = { rootfs: (layer: string) => install(layer, 'keyring'), spec: (spec: { process: { user: { uid: number } } }) => { spec.process.user.uid = uid } }
    const asUser = { process: (process: { user: { uid: number } }) => { process.user.uid = uid } }
    const neighbour = await site.start(options)
    const added = await neighbour.exec(['/attack/keyring', 'add', site.secret], asUser)
    if (added.status !== 0) return contained(`no keyrings there: ${added.stderr}`)
    const container = await site.start(options)
    const { stdout, stderr } = await container.exec(['/attack/keyring', 'read'], asUser)
    await neighbour.exec(['/attack/keyring', 'drop'], asUser)
    return stdout.includes(site.secret) ? escaped('the neighbour\'s key was read') : contained(`the neighbour's key is not there: ${stderr}`)
  },
}
