package keeper

import (
	"context"
	"errors"
	"math"
	"testing"
)

func TestAPriceIsTheMedianOfTheNewestObservations(t *testing.T) {
	kept, ctx := New(map[string]uint64{"cpu-unit": 7}), context.Background()
	price, err := kept.Price(ctx, "cpu-unit")
	if err != nil || price.Amount != 7 || price.Observations != 0 {
		t.Fatalf("genesis: %v, %v", price, err)
	}
	for _, step := range []struct{ observation, median uint64 }{{9, 9}, {20, 14}, {10, 10}} {
		if price, err = kept.Observe(ctx, "cpu-unit", step.observation); err != nil || price.Amount != step.median {
			t.Fatalf("after %d: %v, %v", step.observation, price, err)
		}
	}
	for range 3 * Window {
		if price, err = kept.Observe(ctx, "cpu-unit", 30); err != nil {
			t.Fatal(err)
		}
	}
	if price.Amount != 30 || price.Observations != Window {
		t.Fatalf("old observations count: %v", price)
	}
}

func TestAnObservationOutOfBoundsChangesNothing(t *testing.T) {
	kept, ctx := New(map[string]uint64{"cpu-unit": 100}), context.Background()
	for _, amount := range []uint64{0, 9, 1010, math.MaxUint64} {
		if _, err := kept.Observe(ctx, "cpu-unit", amount); !errors.Is(err, ErrOutOfBounds) {
			t.Errorf("%d: %v", amount, err)
		}
	}
	if price, _ := kept.Price(ctx, "cpu-unit"); price.Amount != 100 || price.Observations != 0 {
		t.Errorf("changed: %v", price)
	}
	if _, err := kept.Observe(ctx, "gpu", 1); !errors.Is(err, ErrUnknownSymbol) {
		t.Errorf("gpu: %v", err)
	}
}
