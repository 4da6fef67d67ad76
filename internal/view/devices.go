package view

import "switchboard/internal/fold"

// The list of devices is a part of the read model device. A partition has a sorted set for each state; every score is 0, so that Redis keeps the ids in
// byte order and a list can be read from an id on, or by how ids begin. A device lives in one partition, so that the first k of each
// partition, merged, are exact.
const devices = "devices"

// DevicesKey is the key of the devices in a state, a sorted set.
func DevicesKey(s fold.DeviceState) string { return devices + ":" + s.String() }

// DeviceStates lists every state that a device can have.
func DeviceStates() []fold.DeviceState {
	return []fold.DeviceState{fold.StateUnknown, fold.StateConnected, fold.StateDisconnected}
}

// projectList moves the device to the list of its state.
func (d *Device) projectList(dst []Mutation) []Mutation {
	now, before := d.state.Record.Session.State(), d.stored.Session.State()
	known := d.storedAt >= 0
	if known && now == before {
		return dst
	}
	if known {
		dst = append(dst, Mutation{DropMembers, DevicesKey(before), []string{string(d.id)}})
	}
	return append(dst, Mutation{SetScores, DevicesKey(now), []string{"0", string(d.id)}})
}
