package keeper

import (
	"context"
	"crypto/sha256"

	"github.com/decred/dcrd/dcrec/secp256k1/v4"
	"github.com/decred/dcrd/dcrec/secp256k1/v4/ecdsa"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"virtengine.example/oracle/x/oracle/types"
)

const nonceBytes = 16

type msgServer struct {
	types.UnimplementedMsgServer
	keeper *Keeper
}

// NewMsgServer returns the Msg service of the module.
func NewMsgServer(keeper *Keeper) types.MsgServer {
	return msgServer{keeper: keeper}
}

// PostPrice adds an observation that is signed.
func (s msgServer) PostPrice(ctx context.Context, message *types.MsgPostPrice) (*types.MsgPostPriceResponse, error) {
	if !signed(message) {
		return nil, status.Error(codes.Unauthenticated, "the signature is not one of its key over this message")
	}
	price, err := s.keeper.Observe(ctx, message.GetSymbol(), message.GetAmount())
	if err != nil {
		return nil, answer(err)
	}
	return &types.MsgPostPriceResponse{Price: price}, nil
}

// signed tells whether the signature is one of its key over this message, as auth.proto says.
func signed(message *types.MsgPostPrice) bool {
	signature := message.GetSignature()
	if len(signature.GetPublicKey()) != secp256k1.PubKeyBytesLenCompressed || len(signature.GetNonce()) != nonceBytes {
		return false
	}
	key, err := secp256k1.ParsePubKey(signature.GetPublicKey())
	if err != nil {
		return false
	}
	value, err := ecdsa.ParseDERSignature(signature.GetValue())
	if err != nil {
		return false
	}
	unsigned := proto.CloneOf(message)
	unsigned.Signature.Value = nil
	content, err := proto.MarshalOptions{Deterministic: true}.Marshal(unsigned)
	if err != nil {
		return false
	}
	digest := sha256.Sum256(append([]byte(message.ProtoReflect().Descriptor().FullName()), content...))
	return value.Verify(digest[:], key)
}
