package starleads

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"reflect"

	"kbsyncd/internal/fault"
	"kbsyncd/internal/httpapi"
	"kbsyncd/internal/kb"
	"kbsyncd/internal/targets"
	"kbsyncd/internal/targets/adapter"
)

// Connect implements targets.Target.
func (t *Target) Connect(ctx context.Context, create bool) (targets.Store, error) {
	t.connecting.Lock()
	defer t.connecting.Unlock()
	t.http.Reset()
	t.outage.Reset()
	t.follow(ctx)

	d, created, err := t.find(ctx, create)
	if err != nil {
		return targets.Store{}, err
	}
	t.mu.Lock()
	t.dataset = string(d.ID)
	t.mu.Unlock()
	st := targets.Store{ID: string(d.ID), Name: kb.Printable(string(d.Name)), Created: created}
	if st.Name == "" {
		st.Name = t.cfg.Dataset
	}
	if d.ID == "" || created || !create {
		return st, nil
	}
	return st, t.adjust(ctx, d)
}

// find gives the dataset; its ID is empty when there is none and none was to be created.
func (t *Target) find(ctx context.Context, create bool) (d dataset, created bool, err error) {
	if t.cfg.DatasetID != "" {
		d, err = t.datasetByID(ctx, t.cfg.DatasetID)
		return d, false, err
	}
	d, err = t.datasetByName(ctx)
	if err != nil || d.ID != "" || !create {
		return d, false, err
	}
	d, err = t.createDataset(ctx)
	return d, err == nil, err
}

func (t *Target) datasetByID(ctx context.Context, id string) (d dataset, err error) {
	err = t.call(ctx, "get dataset", "dataset_get", adapter.Vars{"datasetId": id}, nil, &d)
	switch httpapi.Status(err) {
	case http.StatusBadRequest, http.StatusForbidden, http.StatusNotFound:
		return d, fault.New(fault.ErrSetup, "starleads: the dataset %s cannot be used", kb.Printable(id)).
			WithHint("check dataset_id, and that the API key belongs to the same company; if both are right, %s", remedy("dataset_get")).Because(err)
	}
	if err != nil {
		return d, err
	}
	if string(d.ID) != id {
		return d, fault.New(fault.ErrSetup, "starleads: asked for dataset %s, the vendor answered with %q", kb.Printable(id), kb.Printable(string(d.ID)))
	}
	return d, nil
}

// datasetByName looks at all datasets, because a name need not be unique.
func (t *Target) datasetByName(ctx context.Context) (dataset, error) {
	var found []dataset
	err := listAll(ctx, t, "list datasets", "dataset_list", nil, func(d dataset) error {
		if string(d.Name) == t.cfg.Dataset {
			found = append(found, d)
		}
		return nil
	})
	switch {
	case errors.Is(err, fault.ErrNotFound):
		return dataset{}, fault.New(fault.ErrSetup, "starleads: the datasets cannot be listed").
			WithHint("check base_url; if it is right, %s", remedy("dataset_list")).Because(err)
	case err != nil:
		return dataset{}, err
	case len(found) > 1:
		return dataset{}, fault.New(fault.ErrSetup, "starleads: there are %d datasets named %q", len(found), t.cfg.Dataset).
			WithHint("write dataset_id: %s (or the id of another one) in place of dataset", kb.Printable(string(found[0].ID)))
	case len(found) == 0:
		return dataset{Name: text(t.cfg.Dataset)}, nil
	}
	return found[0], nil
}

type newDataset struct {
	Name         string         `json:"name"`
	ChunkMethod  string         `json:"chunkMethod,omitempty"`
	ParserConfig map[string]any `json:"parserConfig,omitempty"`
}

// createDataset creates it; after a lost answer it looks before it tries again.
func (t *Target) createDataset(ctx context.Context) (d dataset, err error) {
	body := newDataset{Name: t.cfg.Dataset, ChunkMethod: t.cfg.ChunkMethod, ParserConfig: t.cfg.ParserConfig}
	for n := 1; ; n++ {
		d = dataset{}
		err = t.create(ctx, "create dataset", "dataset_create", nil, body, &d)
		if err == nil && d.ID != "" && (d.Name == "" || string(d.Name) == t.cfg.Dataset) {
			return d, nil
		}
		if err != nil && !errors.Is(err, fault.ErrUnknown) {
			return d, err
		}
		// A lost answer, one without an id, or one with another name: somebody else may have been quicker.
		answered := d
		if d, lookErr := t.datasetByName(ctx); lookErr != nil || d.ID != "" {
			return d, lookErr
		}
		if answered.ID != "" {
			return d, fault.New(fault.ErrSetup, "starleads: the dataset %q was created under the name %q", t.cfg.Dataset, kb.Printable(string(answered.Name))).
				WithHint("write dataset_id: %s, or choose another name", kb.Printable(string(answered.ID)))
		}
		if n == maxTries {
			return d, &fault.RetryAfter{Err: fault.New(fault.ErrUnknown, "starleads: the dataset %q could not be created", t.cfg.Dataset).Because(err)}
		}
		if err := httpapi.Pause(ctx, httpapi.Backoff(n)); err != nil {
			return d, err
		}
	}
}

// adjust changes the settings of the dataset that the configuration names and that differ; others stay as they are.
func (t *Target) adjust(ctx context.Context, d dataset) error {
	want := t.drift(d)
	if len(want) == 0 {
		return nil
	}
	if d.ParserConfig == nil && len(t.cfg.ParserConfig) > 0 { // lists may leave it out
		full, err := t.datasetByID(ctx, string(d.ID))
		if err != nil {
			return err
		}
		if want = t.drift(full); len(want) == 0 {
			return nil
		}
	}
	v := adapter.Vars{"datasetId": string(d.ID)}
	if err := t.call(ctx, "update dataset", "dataset_update", v, want, nil); err != nil {
		return err
	}
	now, err := t.datasetByID(ctx, string(d.ID))
	if err != nil {
		return err
	}
	if len(t.drift(now)) > 0 {
		t.log.Warn("the vendor did not take all settings of the dataset", "dataset", string(d.ID))
	}
	return nil
}

// drift is the update that makes the dataset what the configuration says; empty when it is.
func (t *Target) drift(d dataset) map[string]any {
	out := map[string]any{}
	if t.cfg.ChunkMethod != "" && string(d.ChunkMethod) != t.cfg.ChunkMethod {
		out["chunkMethod"] = t.cfg.ChunkMethod
	}
	parser := map[string]any{}
	for k, v := range t.cfg.ParserConfig {
		if !sameJSON(v, d.ParserConfig[k]) {
			parser[k] = v
		}
	}
	if len(parser) > 0 {
		out["parserConfig"] = parser
	}
	return out
}

// sameJSON compares a value from the configuration with one from the vendor.
func sameJSON(a any, b json.RawMessage) bool {
	enc, err := json.Marshal(a)
	if err != nil {
		return false
	}
	var x, y any
	return json.Unmarshal(enc, &x) == nil && json.Unmarshal(b, &y) == nil && reflect.DeepEqual(x, y)
}
