package suggest

import "testing"

func TestHint(t *testing.T) {
	known := []string{"dataset", "dataset_id", "chat", "chat_id"}
	for in, want := range map[string]string{"datset": "dataset", "Dataset": "dataset", "chta": "chat", "zebra": "", "dataset-id": "dataset_id", "": ""} {
		if got := Nearest(in, known); got != want {
			t.Errorf("%s: %q, want %q", in, got, want)
		}
		hint := "none"
		if want != "" {
			hint = `did you mean "` + want + `"?`
		}
		if got := Hint(in, known, "none"); got != hint {
			t.Errorf("%s: %q, want %q", in, got, hint)
		}
	}
}
