package dynamo

import (
	"cmp"
	"context"
	"errors"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/xpay-serverless/xpay-serverless/internal/store"
)

const (
	isFree      = "attribute_not_exists(#id) OR #expires <= :now"
	isUnchanged = "#version = :was AND (attribute_not_exists(#expires) OR #expires > :now)"
)

// Create: see store.Store. An item that has expired is replaced whole, whatever it held.
func (s *Store) Create(ctx context.Context, doc store.Doc) (store.Doc, error) {
	if err := store.Check(doc); err != nil {
		return store.Doc{}, err
	}
	doc.Version, doc.Stamp = 1, cmp.Or(doc.Stamp, store.NewStamp())
	table, written := s.tableOf(doc.Kind()), itemOf(doc)
	_, err := s.client.PutItem(ctx, &dynamodb.PutItemInput{
		TableName:                           &table,
		Item:                                written,
		ConditionExpression:                 aws.String(isFree),
		ExpressionAttributeNames:            map[string]string{"#id": attrID, "#expires": attrExpires},
		ExpressionAttributeValues:           item{":now": number(s.now().Unix())},
		ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld,
	})
	stored, refused := whyRefused(err)
	switch {
	case err == nil || refused && sameWrite(stored, written):
		return docOf(written)
	case refused:
		return beside(stored, store.ErrExists)
	}
	return store.Doc{}, s.failed("create", table, err)
}

// Update: see store.Store. It sets or removes every attribute but those that never change.
func (s *Store) Update(ctx context.Context, doc store.Doc) (store.Doc, error) {
	if err := store.Check(doc); err != nil {
		return store.Doc{}, err
	}
	was, now := doc.Version, s.now()
	doc.Version, doc.Stamp = was+1, cmp.Or(doc.Stamp, store.NewStamp())
	table, written := s.tableOf(doc.Kind()), itemOf(doc)
	expression, names, values := replace(written)
	values[":was"], values[":now"] = number(was), number(now.Unix())
	out, err := s.client.UpdateItem(ctx, &dynamodb.UpdateItemInput{
		TableName:                           &table,
		Key:                                 keyOf(doc.ID),
		UpdateExpression:                    &expression,
		ConditionExpression:                 aws.String(isUnchanged),
		ExpressionAttributeNames:            names,
		ExpressionAttributeValues:           values,
		ReturnValues:                        types.ReturnValueAllNew,
		ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld,
	})
	stored, refused := whyRefused(err)
	switch {
	case err == nil:
		return docOf(out.Attributes)
	case refused && sameWrite(stored, written): // also when this write has let the document expire
		return docOf(stored)
	case refused && (len(stored) == 0 || expired(stored, now)):
		return store.Doc{}, store.ErrConflict
	case refused:
		return beside(stored, store.ErrConflict)
	}
	return store.Doc{}, s.failed("update", table, err)
}

// replace returns an update expression that leaves nothing of a stored item but id, created and made.
func replace(by item) (expression string, names map[string]string, values item) {
	names, values = map[string]string{}, item{}
	var set, remove []string
	for _, attr := range replaced {
		names["#"+attr] = attr
		if value, ok := by[attr]; ok {
			values[":"+attr] = value
			set = append(set, "#"+attr+" = :"+attr)
		} else {
			remove = append(remove, "#"+attr)
		}
	}
	expression = "SET " + strings.Join(set, ", ")
	if len(remove) > 0 {
		expression += " REMOVE " + strings.Join(remove, ", ")
	}
	return expression, names, values
}

// whyRefused tells a failed condition from other errors and returns the item that failed it, if there is one.
func whyRefused(err error) (stored item, refused bool) {
	var failed *types.ConditionalCheckFailedException
	if !errors.As(err, &failed) {
		return nil, false
	}
	return failed.Item, true
}

// sameWrite reports whether the stored item is what this very write has stored: its answer was lost and it was repeated.
func sameWrite(stored, written item) bool {
	version, _ := integerOf(written[attrVersion])
	storedVersion, ok := integerOf(stored[attrVersion])
	return ok && storedVersion == version && textOf(stored[attrStamp]) == textOf(written[attrStamp])
}

func beside(stored item, sentinel error) (store.Doc, error) {
	doc, err := docOf(stored)
	return doc, cmp.Or(err, sentinel)
}
