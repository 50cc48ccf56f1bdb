/**
 * Traffic control, as far as it takes to hand every packet of one interface to another:
 *
 *   eth0 ──▶ ingress qdisc ──▶ u32 filter that matches all ──▶ mirred: redirect to egress of ──▶ tap0
 *   tap0 ──▶ …                                                                              ──▶ eth0
 */
import { bytes, nested, text } from './attribute.ts'
import { NLM_F_CREATE, NLM_F_EXCL, request, RTM } from './message.ts'

/** include/uapi/linux/pkt_sched.h */
const TC_H_INGRESS = 0xffff_fff1
/** ffff:, the handle that an ingress qdisc always has. */
const ingressHandle = 0xffff_0000
/** include/uapi/linux/rtnetlink.h */
const TCA_KIND = 1
const TCA_OPTIONS = 2
/** include/uapi/linux/pkt_cls.h */
const TCA_U32_SEL = 5
const TCA_U32_ACT = 7
const TC_U32_TERMINAL = 1
const TCA_ACT_KIND = 1
const TCA_ACT_OPTIONS = 2
const TC_ACT_STOLEN = 4
/** include/uapi/linux/tc_act/tc_mirred.h */
const TCA_MIRRED_PARMS = 2
const TCA_EGRESS_REDIR = 1
/** include/uapi/linux/if_ether.h */
const ETH_P_ALL = 0x0003
/** struct tcmsg */
const fixedBytes = 20
/** struct tc_u32_sel with one key, struct tc_u32_key */
const selectorBytes = 16 + 16
/** struct tc_mirred */
const mirredBytes = 28

function tcmsg(index: number, handle: number, parent: number, info: number): Uint8Array {
  const fixed = new Uint8Array(fixedBytes)
  const view = new DataView(fixed.buffer)
  view.setInt32(4, index, true)
  view.setUint32(8, handle, true)
  view.setUint32(12, parent, true)
  view.setUint32(16, info, true)
  return fixed
}

/** Lets filters see what arrives at an interface. */
export function ingressAdd(index: number, sequence: number): Uint8Array {
  return request(RTM.NEWQDISC, NLM_F_CREATE | NLM_F_EXCL, sequence, tcmsg(index, ingressHandle, TC_H_INGRESS, 0), [text(TCA_KIND, 'ingress')])
}

/** Removes the ingress qdisc with its filters. */
export function ingressDelete(index: number, sequence: number): Uint8Array {
  return request(RTM.DELQDISC, 0, sequence, tcmsg(index, ingressHandle, TC_H_INGRESS, 0), [])
}

/** Sends on what arrives at `index` from `toIndex`, as it is. Needs ingressAdd first. */
export function redirectAdd(index: number, toIndex: number, sequence: number): Uint8Array {
  const priority = 1
  // tcm_info: the priority above, the protocol below in network byte order.
  const info = priority << 16 | (ETH_P_ALL & 0xff) << 8 | ETH_P_ALL >> 8
  const options = nested(TCA_OPTIONS, [bytes(TCA_U32_SEL, matchAll()), nested(TCA_U32_ACT, [redirectTo(toIndex)])])
  return request(RTM.NEWTFILTER, NLM_F_CREATE | NLM_F_EXCL, sequence, tcmsg(index, 0, ingressHandle, info), [text(TCA_KIND, 'u32'), options])
}

/** struct tc_u32_sel: one key whose mask is empty, so that every packet matches and the search ends. */
function matchAll(): Uint8Array {
  const selector = new Uint8Array(selectorBytes)
  selector[0] = TC_U32_TERMINAL
  selector[2] = 1 // nkeys
  return selector
}

function redirectTo(toIndex: number) {
  const parameters = new Uint8Array(mirredBytes)
  const view = new DataView(parameters.buffer)
  view.setInt32(8, TC_ACT_STOLEN, true) // action
  view.setInt32(20, TCA_EGRESS_REDIR, true) // eaction
  view.setUint32(24, toIndex, true)
  const first = 1 // actions are a list: the attribute's type is the position
  return nested(first, [text(TCA_ACT_KIND, 'mirred'), nested(TCA_ACT_OPTIONS, [bytes(TCA_MIRRED_PARMS, parameters)])])
}
