package event

// DeviceSubmitted is what happened to a device as it comes in, by whichever door: the record DeviceEventSubmitted of
// schemas/device_event_submitted.v1.avsc, and the same names in JSON. Like Submitted it is what somebody said: nothing is
// checked yet, and it has neither event_id nor recorded_at. Of the fields after Zone each kind of event takes its own; the zero value
// means that it was not said.
type DeviceSubmitted struct {
	Kind       string `avro:"kind" json:"kind"`               // connected, renamed, linked, unlinked, disconnected; required
	Device     string `avro:"device" json:"device"`           // required
	OccurredAt int64  `avro:"occurred_at" json:"occurred_at"` // Unix milliseconds; required
	UTCOffsetS *int32 `avro:"utc_offset_s" json:"utc_offset_s,omitempty"`
	Zone       string `avro:"zone" json:"zone,omitempty"` // IANA name, instead of utc_offset_s

	SessionID         string `avro:"session_id" json:"session_id,omitempty"`   // connected, disconnected; required there
	SessionSeq        *int64 `avro:"session_seq" json:"session_seq,omitempty"` // likewise
	ViaDeviceID       string `avro:"via_device_id" json:"via_device_id,omitempty"`
	Transport         string `avro:"transport" json:"transport,omitempty"`
	AddressHash       string `avro:"address_hash" json:"address_hash,omitempty"`
	Firmware          string `avro:"firmware" json:"firmware,omitempty"`
	Model             string `avro:"model" json:"model,omitempty"`
	Manufacturer      string `avro:"manufacturer" json:"manufacturer,omitempty"`
	InitiatedByClient bool   `avro:"initiated_by_client" json:"initiated_by_client,omitempty"`
	DisconnectReason  string `avro:"disconnect_reason" json:"disconnect_reason,omitempty"`
	OldName           string `avro:"old_name" json:"old_name,omitempty"`
	NewName           string `avro:"new_name" json:"new_name,omitempty"` // renamed; required there
	RenamedBy         string `avro:"renamed_by" json:"renamed_by,omitempty"`
	OtherDeviceID     string `avro:"other_device_id" json:"other_device_id,omitempty"` // linked, unlinked; required there
	LinkKind          string `avro:"link_kind" json:"link_kind,omitempty"`

	Source        string `avro:"source" json:"source,omitempty"`
	Reporter      string `avro:"reporter" json:"reporter,omitempty"`
	NativeID      string `avro:"native_id" json:"native_id,omitempty"`
	Batch         string `avro:"batch" json:"batch,omitempty"`
	Attempt       int32  `avro:"attempt" json:"attempt,omitempty"`
	Actor         string `avro:"actor" json:"actor,omitempty"`
	Reason        string `avro:"reason" json:"reason,omitempty"`
	CorrelationID string `avro:"correlation_id" json:"correlation_id,omitempty"`
	CausationID   string `avro:"causation_id" json:"causation_id,omitempty"`
}
