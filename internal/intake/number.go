package intake

import (
	"strings"

	"github.com/nyaruka/phonenumbers"

	"switchboard/internal/event"
)

// NumberingVersion names the metadata by which numbers are judged; it stands in each fact beside
// what was derived from it. A test keeps it equal to the version in go.mod.
const NumberingVersion = "nyaruka/phonenumbers v1.8.1"

// Number is what the numbering plans say about an id of a person.
type Number struct {
	ID     string           // E.164 with its plus, or the given text where it is no number
	Region string           // ISO 3166-1 alpha-2, or 001 for numbers of no country; "" unknown
	Type   event.NumberType // unknown where the plan does not say
	Prefix string           // country code and the next three digits, without plus; "" if it is no number
}

// IsNumber tells whether the id is a telephone number in E.164.
func (n Number) IsNumber() bool { return n.Prefix != "" }

// minNationalDigits is the least length at which digits without a country code are taken for a
// number although the plan does not list them as assigned. What is shorter is a short code.
const minNationalDigits = 7

// ParseNumber reads an id of a person as dialled in a region, and never fails: what is no number
// is given back as it is, without the blanks around it.
//
// A number is made of digits and the usual separators; letters make it an opaque id, so that
// correspondent_28 is not the number +4928. With a country code (+49, 0049) it must have a
// possible length. Without one it must be valid in the plan of the region, or be of a possible
// length and at least seven digits: plans grow, and a verdict that hangs on the length changes
// less often than one that hangs on the list of assigned ranges. Short codes (911, 72404) stay as
// they are, and so does an extension.
func ParseNumber(raw, region string) Number {
	text := strings.TrimSpace(raw)
	opaque := Number{ID: text}
	dial := trimTel(text)
	if !dialable(dial) {
		return opaque
	}
	if region == "" {
		region = "ZZ"
	}
	n, err := phonenumbers.ParseAndKeepRawInput(dial, region)
	if err != nil {
		return opaque
	}
	region, kind, valid := judge(n)
	national := n.GetCountryCodeSource() == phonenumbers.PhoneNumber_FROM_DEFAULT_COUNTRY
	if national && !valid && len(phonenumbers.GetNationalSignificantNumber(n)) < minNationalDigits || !possible(n, valid) {
		return opaque
	}
	e164 := phonenumbers.Format(n, phonenumbers.E164)
	if e164 != dial {
		// What was understood must be understood again, in every region: 00001000 of CC gives
		// +610001000, which reads as +61001000.
		n, err = phonenumbers.Parse(e164, "ZZ")
		if err != nil || phonenumbers.Format(n, phonenumbers.E164) != e164 {
			return opaque
		}
		if region, kind, valid = judge(n); !possible(n, valid) {
			return opaque
		}
	}
	out := Number{ID: e164, Prefix: prefixBucket(e164, int(n.GetCountryCode()))}
	if valid {
		out.Region, out.Type = region, numberType(kind)
	}
	return out
}

// judge gives region and type of a number. It is valid exactly if it has both: to ask IsValidNumber
// would be to look both up a second time.
func judge(n *phonenumbers.PhoneNumber) (region string, kind phonenumbers.PhoneNumberType, valid bool) {
	region = phonenumbers.GetRegionCodeForNumber(n)
	if region == "" {
		return "", phonenumbers.UNKNOWN, false
	}
	kind = phonenumbers.GetNumberType(n)
	return region, kind, kind != phonenumbers.UNKNOWN
}

// possible tells whether a number has a length that its plan knows. One of only zeroes is none:
// Format would give the raw text back.
func possible(n *phonenumbers.PhoneNumber, valid bool) bool {
	return n.GetNationalNumber() != 0 && (valid || phonenumbers.IsPossibleNumberWithReason(n) == phonenumbers.IS_POSSIBLE)
}

func trimTel(s string) string {
	if len(s) > 4 && strings.EqualFold(s[:4], "tel:") {
		return s[4:]
	}
	return s
}

// dialable tells whether s may be a number: 3 to 40 bytes of digits, separators and one leading plus.
func dialable(s string) bool {
	if len(s) > 40 {
		return false
	}
	digits := 0
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c >= '0' && c <= '9':
			digits++
		case c == '+' && digits == 0:
		case c == ' ' || c == '-' || c == '.' || c == '(' || c == ')' || c == '/':
		default:
			return false
		}
	}
	return digits >= 3
}

func prefixBucket(e164 string, countryCode int) string {
	cc := 1
	for ; countryCode >= 10; countryCode /= 10 {
		cc++
	}
	return e164[1:min(len(e164), 1+cc+3)]
}

func numberType(t phonenumbers.PhoneNumberType) event.NumberType {
	switch t {
	case phonenumbers.FIXED_LINE:
		return event.Fixed
	case phonenumbers.MOBILE:
		return event.Mobile
	case phonenumbers.FIXED_LINE_OR_MOBILE:
		return event.FixedOrMobile
	case phonenumbers.TOLL_FREE:
		return event.TollFree
	case phonenumbers.PREMIUM_RATE:
		return event.PremiumRate
	case phonenumbers.SHARED_COST:
		return event.SharedCost
	case phonenumbers.VOIP:
		return event.VoIP
	case phonenumbers.PERSONAL_NUMBER:
		return event.PersonalNumber
	case phonenumbers.PAGER:
		return event.Pager
	case phonenumbers.UAN:
		return event.UAN
	case phonenumbers.VOICEMAIL:
		return event.VoicemailAccess
	}
	return event.NumberUnknown
}

// dialRegion is the region by which a person with this number reads national ones: its own, else, for a number in a range that is
// not assigned (such as those kept for films, +44 7700 900), the main region of its country code.
func (n Number) dialRegion() string {
	if n.Region != "" || !n.IsNumber() {
		return n.Region
	}
	parsed, err := phonenumbers.Parse(n.ID, "ZZ")
	if err != nil {
		return ""
	}
	if region := phonenumbers.GetRegionCodeForCountryCode(int(parsed.GetCountryCode())); region != "ZZ" && region != "001" {
		return region
	}
	return ""
}

// knownRegion tells whether a numbering plan exists for an ISO 3166-1 alpha-2 code.
func knownRegion(region string) bool { return phonenumbers.GetCountryCodeForRegion(region) != 0 }
